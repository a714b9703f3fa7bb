/**
 * The example for Workers, as its configuration has it, and what browsers do with it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { sentEvents } from "../../http/support/service.ts";
import { type RunningWorker, startWorker } from "../../support/workerd/mod.ts";

const EXAMPLE = new URL("../../../examples/cloudflare-worker/", import.meta.url);

/** The part of a configuration of wrangler that the tests take over. */
interface Config {
  readonly name: string;
  readonly main: string;
  readonly compatibility_date: string;
  readonly compatibility_flags?: string[];
  readonly durable_objects?: { bindings: { name: string; class_name: string }[] };
  readonly migrations?: { new_sqlite_classes: string[] }[];
  readonly services?: { binding: string; service: string }[];
}

/** The token that opens everything, from the file for development. */
export const SECRET = "only-for-development";

/** Starts the example with one of its configurations. */
export async function startShop(
  file: string,
  { bindings = {}, folder }: { bindings?: Record<string, string>; folder?: string } = {},
): Promise<RunningWorker> {
  const text = await Deno.readTextFile(new URL(file, EXAMPLE));
  const config: Config = JSON.parse(text.replaceAll(/^\s*\/\/.*/gm, ""));
  assert.equal(config.compatibility_flags, undefined);
  const objects = config.durable_objects?.bindings.map(({ name, class_name }) => [name, class_name] as const) ?? [];
  assert.deepEqual(objects.map(([, name]) => name), config.migrations?.flatMap((it) => it.new_sqlite_classes) ?? []);
  const [self] = config.services ?? [];
  assert(self === undefined || self.service === config.name);
  return await startWorker({
    entry: `examples/cloudflare-worker/${config.main}`,
    bindings: { ...await developmentSecrets(), ...bindings },
    objects: Object.fromEntries(objects),
    date: config.compatibility_date,
    ...(self && { self: self.binding }),
    ...(folder !== undefined && { folder }),
  });
}

async function developmentSecrets(): Promise<Record<string, string>> {
  const text = await Deno.readTextFile(new URL(".dev.vars", EXAMPLE));
  return Object.fromEntries(Array.from(text.matchAll(/^(\w+)=(.*)$/gm), ([, name, value]) => [name, value]));
}

/** The body of a form. */
export const form = (fields: Record<string, string>): RequestInit => ({
  method: "POST",
  body: new URLSearchParams(fields),
});

/** Orders, as a browser does. */
export async function order(
  worker: RunningWorker,
  item: string,
  { patience }: { patience?: number } = {},
): Promise<{ id: string; pay: string }> {
  const response = await worker.fetch("/orders", form({ item, ...(patience && { patience: String(patience) }) }));
  assert.equal(response.status, 303, await response.text());
  const { pathname } = new URL(response.headers.get("location")!);
  return { id: decodeURIComponent(pathname.replace("/pay/", "")), pay: pathname };
}

/** Pays, as a browser does on the payment page. */
export async function pay(worker: RunningWorker, { id, pay }: { id: string; pay: string }): Promise<void> {
  const paid = await worker.fetch(pay, form({ type: "payment.paid" }));
  assert.deepEqual([paid.status, paid.headers.get("location")], [303, `/orders/${id}`]);
}

/** Asks the adapter with the token that opens everything. */
export async function ask(worker: RunningWorker, path: string): Promise<Record<string, unknown>> {
  const response = await worker.fetch(`/parley${path}`, { headers: { authorization: `Bearer ${SECRET}` } });
  assert.equal(response.status, 200, await response.clone().text());
  return await response.json();
}

/** What the page of an order shows, as its `EventSource` gets it. */
export async function follow(
  worker: RunningWorker,
  id: string,
  onValue: (value: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const page = await (await worker.fetch(`/orders/${id}`)).text();
  const stream = /data-stream="([^"]+)"/.exec(page)![1]!.replaceAll("&amp;", "&");
  const values: string[] = [];
  const answer = await worker.fetch(stream, { headers: { accept: "text/event-stream" } });
  for await (const { event, data } of sentEvents(answer)) {
    if (event === "end") break;
    if (data === undefined) continue;
    values.push(JSON.parse(data));
    await onValue(values.at(-1)!);
  }
  return values;
}

/** Registers a test. Connections to a worker outlive it. */
export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
