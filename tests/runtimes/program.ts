/**
 * What every runtime has to be able to do, as a program that is bundled for it: the library over memory, the adapter, and the client of an adapter
 * elsewhere, whose URL and token are its arguments.
 *
 * @module
 */

import { connect } from "@parley/parley/client";
import { bearer, parleyHttp, scopedTokens, standardWebhooks, webhook } from "@parley/parley/http";
import {
  type Client,
  event,
  memoryDriver,
  Parley,
  stream,
  TimeoutError,
  topic,
  ValidationError,
  workflow,
  WorkflowNotFoundError,
} from "@parley/parley";
import { testParley } from "@parley/parley/testing";
import * as v from "valibot";

const paid = topic("paid", v.object({ cents: v.bigint() }));
const url = event<URL>("url");
const progress = stream<string>("progress");

/** Everything that a workflow can do. */
export const order = workflow("order", async (ctx, { name }: { name: string }) => {
  const [at, id] = [await ctx.now(), await ctx.uuid()];
  await ctx.setEvent(url, new URL(`https://pay.test/${name}`));
  await ctx.step("greet", (step) => step.writeStream(progress, `hello ${name}`));
  await ctx.sleep("5ms");
  const early = await ctx.recv("never", { timeout: 0 }).catch((error) => error instanceof TimeoutError);
  const { topic: by, message } = await ctx.recvAny([paid, "cancelled"]);
  const child = await ctx.start(echo, message);
  const writer = ctx.writable(progress).getWriter();
  await writer.write(by);
  await writer.close();
  return { early, hasClock: at > 0 && id.length === 36, echoed: await child.result() };
});

/** Gives back what it gets. */
export const echo = workflow("echo", (_ctx, input: unknown) => input);

/** Reminds three days later. */
export const reminder = workflow("reminder", async (ctx) => {
  await ctx.sleep("3d");
  return await ctx.step("remind", () => "really");
});

let checks = 0;

function check(holds: boolean, what: string): void {
  checks++;
  if (!holds) throw new Error(`It does not hold: ${what}`);
}

async function rejects(promise: Promise<unknown>, kind: new (...args: never[]) => Error): Promise<void> {
  const error = await promise.then(() => undefined, (error) => error);
  check(error instanceof kind, `it rejects with ${kind.name}, not ${error}`);
}

/** The same over a database and over HTTP. */
async function useClient(client: Client, label: string): Promise<void> {
  const workflowId = `${label} ${crypto.randomUUID()} / ünusual`;
  const handle = await client.start(order, { name: "ada" }, { workflowId });
  const reading = Array.fromAsync ? Array.fromAsync(handle.readStream(progress)) : collect(handle.readStream(progress));
  check((await handle.getEvent(url)).href === "https://pay.test/ada", "an event comes back as it was set");
  const first = await handle.send({ cents: 5n }, { topic: paid, idempotencyKey: "k" });
  const again = await handle.send({ cents: 5n }, { topic: paid, idempotencyKey: "k" });
  check(!first.duplicate && again.duplicate && first.messageId === again.messageId, "a message is sent once");
  const { early, hasClock, echoed } = await handle.result({ timeout: "20s" });
  check(early === true && hasClock && (echoed as { cents: bigint }).cents === 5n, "the result");
  check((await reading).join() === "hello ada,paid", "the stream, live");
  const { values, closed, nextOffset } = await handle.readStream(progress, { from: 1, wait: false }).collect();
  check(values.join() === "paid" && closed && nextOffset === 2, "the stream, afterwards");
  const watched: string[] = [];
  for await (const { href } of handle.watchEvent(url)) watched.push(href);
  check(watched.length === 1, "watching ends with the workflow");
  check((await client.list({ name: "order" })).workflows.some((it) => it.workflowId === workflowId), "it is listed");
  await rejects(client.send("nobody", 1), WorkflowNotFoundError);
  await rejects(client.send(workflowId, { cents: "5" } as never, { topic: paid }), ValidationError);
  await rejects(client.getEvent("nobody", "nothing", { timeout: "20ms" }), TimeoutError);
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** The adapter in this runtime, by itself. */
async function useAdapter(parley: Parley): Promise<void> {
  const [token, tokens] = ["s3cret", scopedTokens("a secret of 16 or more")];
  const app = parleyHttp({ parley, auth: bearer(token) });
  await useClient(
    connect({ url: "http://here.test", token, fetch: async (url, init) => await app.request(url, init) }),
    "adapter",
  );
  const own = parleyHttp({ parley, auth: tokens });
  const scoped = await tokens.mint({ actions: ["stream"], workflowId: "w", keys: ["progress"], expiresIn: "1m" });
  const handle = await parley.start(order, { name: "bob" }, { workflowId: "w" });
  await handle.send(undefined, { topic: "cancelled" });
  await handle.result();
  const sse = await own.request(`/workflows/w/streams/progress?token=${scoped}`, {
    headers: { accept: "text/event-stream" },
  });
  check((await sse.text()).includes('id: 1\ndata: "cancelled"\n\nevent: end\n'), "Server-Sent Events");
  check((await own.request(`/workflows/w?token=${scoped}`)).status === 403, "a token is good for what it is for");
  const hook = parleyHttp({ parley, auth: tokens }).post(
    "/hook",
    webhook({ parley, verify: standardWebhooks(`whsec_${btoa("secret")}`), route: () => undefined }),
  );
  check((await hook.request("/hook", { method: "POST", body: "{}" })).status === 401, "a webhook without a signature");
  const page = await parleyHttp({ parley, auth: tokens, inspector: true }).request("/inspector");
  check((await page.text()).startsWith("<!doctype html>"), "the inspector");
}

/** Time that passes at a test's command. */
async function useTestKit(): Promise<void> {
  const parley = testParley({ workflows: [reminder], steps: { remind: () => "replaced" } });
  const handle = await parley.start(reminder, undefined);
  await parley.advance("2d");
  check((await handle.status()).status === "PENDING", "a sleep of three days is not over after two");
  await parley.advance("1d");
  check(await handle.result() === "replaced", "three days pass at once");
}

/** Takes the adapter that is elsewhere from the arguments, and answers with how many checks it made. */
export async function main([url = "", token = ""]: readonly string[]): Promise<number> {
  const parley = new Parley({ driver: memoryDriver(), workflows: [order, echo] });
  await useClient(parley, "memory");
  await useAdapter(parley);
  await useTestKit();
  await parley.idle();
  await parley[Symbol.asyncDispose]();
  await useClient(connect({ url, token }), "remote");
  return checks;
}
