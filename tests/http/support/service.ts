/**
 * What the suites of the adapter share: an app over one isolate, a workflow that another one runs and that does what it is told.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { bearer, type parleyHttp, type ParleyHttpOptions } from "../../../http/mod.ts";
import { Parley, workflow, type WorkflowContext, type WorkflowHandle } from "../../../mod.ts";
import type { Harness } from "../../../conformance/mod.ts";
import { mount } from "./mount.ts";

export { until } from "../../support/patience.ts";

/** The token that everything is allowed with. */
export const TOKEN = "s3cret";

/** What the workflow is told. */
export type Order =
  | { write: unknown; to?: string }
  | { many: number; padding?: number }
  | { set: unknown; to?: string }
  | "close"
  | "end";

const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const order = await ctx.recv<Order>();
    if (order === "end") return;
    if (order === "close") await ctx.closeStream("log");
    else if ("many" in order) await writeMany(ctx, order);
    else if ("write" in order) await ctx.writeStream(order.to ?? "log", order.write);
    else await ctx.setEvent(order.to ?? "state", order.set);
  }
});

/** The numbers from 0, or texts of some length. */
async function writeMany(
  ctx: WorkflowContext,
  { many, padding = 0 }: { many: number; padding?: number },
): Promise<void> {
  const values = Array.from({ length: many }, (_, n) => padding > 0 ? "x".repeat(padding) : n);
  await Promise.all(values.map((value) => ctx.writeStream("log", value)));
}

/** An app with a workflow `w`, whose stream is `log` and whose event is `state`. */
export interface Service extends AsyncDisposable {
  readonly app: ReturnType<typeof parleyHttp>;
  readonly parley: Parley;
  readonly handle: WorkflowHandle<void>;
  /** Carries the workflow on after it was cancelled. */
  resume(): Promise<void>;
  /** What was reported to `onError`. */
  readonly errors: unknown[];
  /** Asks for a path, with the token. */
  get(path: string, headers?: Record<string, string>, init?: RequestInit): Promise<Response>;
  /** Tells the workflow, and waits until it has done it. */
  tell(...orders: Order[]): Promise<void>;
  /** Tells it to write these to `log`. */
  write(...values: unknown[]): Promise<void>;
}

/** Options of {@linkcode serve}. */
export interface ServiceOptions extends Partial<ParleyHttpOptions> {
  /** In place of the driver that the app uses. */
  readonly driver?: (driver: Driver) => Driver;
}

/** Makes a service over a store. The store's clock stands still; that of the app is the runtime's. */
export async function serve(
  harness: Harness,
  { driver = (it) => it, ...options }: ServiceOptions = {},
): Promise<Service> {
  await harness.drivers[0].migrate();
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const writer = new Parley({ driver: harness.drivers[0], workflows: [scribe], hotWait: 0, onError });
  const parley = new Parley({ driver: driver(harness.drivers[1]), onError });
  const app = mount(harness, { parley, auth: bearer(TOKEN), onError }, options);
  const handle = await writer.start(scribe, undefined, { workflowId: "w" });
  const tell = async (...orders: Order[]) => {
    await writer.sendAll(orders.map((message) => ({ destinationId: "w", message })));
    await writer.idle();
  };
  await writer.idle();
  return {
    app,
    parley,
    handle,
    errors,
    get: async (path, headers = {}, init = {}) =>
      await app.request(path, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...headers } }),
    tell,
    resume: async () => (await writer.resume("w"), await writer.idle()),
    write: (...values) => tell(...values.map((write) => ({ write }))),
    async [Symbol.asyncDispose]() {
      await writer[Symbol.asyncDispose]();
      await parley[Symbol.asyncDispose]();
    },
  };
}

/** Serves an app on a socket, with what a client without headers has as its credentials. */
export function listen(
  app: { fetch(request: Request): Response | Promise<Response> },
): AsyncDisposable & { readonly url: string } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => app.fetch(request));
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A server-sent event as it was sent. */
export interface SentEvent {
  event?: string;
  id?: string;
  data?: string;
  retry?: string;
  /** Whether it was only a comment. */
  comment?: true;
}

/** The server-sent events of a body, comments included. Leaving the loop cancels the body. */
export async function* sentEvents(response: Response): AsyncGenerator<SentEvent> {
  for await (const block of split(response, "\n\n")) {
    const event: SentEvent = {};
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      if (field === "") event.comment = true;
      else if (field) Object.assign(event, { [field]: value });
    }
    yield event;
  }
}

/** The lines of a body. Leaving the loop cancels the body. */
export function lines(response: Response): AsyncGenerator<string> {
  return split(response, "\n");
}

async function* split(response: Response, separator: string): AsyncGenerator<string> {
  assert.equal(response.status, 200, await (response.status === 200 ? "" : response.text()));
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split(separator);
    rest = parts.pop()!;
    yield* parts;
  }
  assert.equal(rest, "", "the body ended within a part");
}

/** The next so many of an iteration that are not passed over, which goes on. */
export async function take<T>(
  items: AsyncIterator<T>,
  count: number,
  isWanted: (item: T) => boolean = () => true,
): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { done, value } = await items.next();
    assert(!done, `it ended after ${taken.length} of ${count}`);
    if (isWanted(value)) taken.push(value);
  }
  return taken;
}

/** The body of a problem. */
export async function problem(response: Response): Promise<{ status: number; code: string }> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { status, code } = await response.json();
  assert.equal(status, response.status);
  return { status, code };
}
