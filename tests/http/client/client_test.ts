import assert from "node:assert/strict";
import * as v from "valibot";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { connect, type Fetch } from "../../../http/client/client.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import { DriverError, memoryDriver, Parley, type ParleyError, topic, workflow } from "../../../mod.ts";

const echo = workflow("echo", async (ctx, input: unknown) => {
  await ctx.setEvent("input", input);
  return [input, await ctx.recv()];
});
const failing = workflow("failing", () => {
  throw new TypeError("no such thing");
});

/** A client of an app in this process. `faults` has one entry for each request to come: what becomes of its answer. */
function make({ faults = [] as ("lost" | "refused" | Response)[], token = "s3cret" } = {}) {
  const parley = new Parley({ driver: memoryDriver(), workflows: [echo, failing], hotWait: 0 });
  const app = parleyHttp({ parley, auth: bearer("s3cret"), maxWait: "50ms", onError: () => {} });
  const requests: Request[] = [];
  const fetch: Fetch = async (url, init) => {
    const fault = faults.shift();
    requests.push(new Request(url, init));
    if (fault === "refused") throw new TypeError("connection refused: https://user:secret@host");
    if (fault instanceof Response) return fault;
    const response = await app.request(url, init);
    if (fault !== "lost") return response;
    await response.body?.cancel();
    throw new TypeError("connection reset");
  };
  return { parley, requests, client: connect({ url: "https://parley.test/base/..", token, fetch }) };
}

async function rejection(promise: Promise<unknown>): Promise<ParleyError> {
  return await promise.then(() => assert.fail("it did not reject"), (error) => error);
}

const VALUES: unknown[] = [
  undefined,
  null,
  -0,
  NaN,
  10n,
  new Date(5),
  new Map([[1, new Set(["a"])]]),
  new Uint8Array([1, 2]),
  /x/g,
  "\u0000",
];

Deno.test("connect().start(), send() and result() bring values back equal", async () => {
  const { client } = make();
  for (const value of VALUES) {
    const handle = await client.start(echo, value);
    assert.equal(handle.created, true);
    await handle.send(value);
    assert.deepEqual(await handle.result({ timeout: "5s" }), [value, value]);
    const info = await handle.status();
    assert.deepEqual([info.input, info.status, "output" in info], [value, "SUCCESS", true]);
    assert.deepEqual(await client.status(handle.workflowId), info);
    assert.deepEqual(await client.result(handle.workflowId), [value, value]);
  }
});

Deno.test("connect() repeats a start and a send whose answers were lost, and nothing is started or sent twice", async () => {
  const { client, parley, requests } = make({ faults: ["lost", "refused"] });
  const handle = await client.start(echo, 1);
  assert.equal(requests.length, 3);
  assert.equal((await parley.list()).workflows.length, 1);
  for (const options of [{}, { idempotencyKey: "ключ \n" }]) {
    const { client, parley, requests } = make({ faults: ["lost", new Response("bad gateway", { status: 502 })] });
    await parley.start(echo, 1, { workflowId: "w", enqueue: true });
    await client.send("w", "one", options);
    await client.send("w", "two");
    assert.equal(requests.length, 4);
    await parley.sweep();
    assert.deepEqual(await parley.handle("w").result(), [1, "one"]);
  }
  await handle.cancel();
});

Deno.test("connect().send() reports a duplicate only if the caller's own key was used before", async () => {
  const { client } = make({ faults: [] });
  await client.start("echo", 1, { workflowId: "w", enqueue: true });
  const first = await client.send("w", 1, { idempotencyKey: "k" });
  assert.deepEqual(await client.send("w", 1, { idempotencyKey: "k" }), { messageId: first.messageId, duplicate: true });
  const lost = make({ faults: ["lost"] });
  await lost.parley.start("echo", 1, { workflowId: "w", enqueue: true });
  assert.equal((await lost.client.send("w", 1)).duplicate, false);
  const all = make({ faults: ["lost"] });
  await all.parley.start("echo", 1, { workflowId: "w", enqueue: true });
  const receipts = await all.client.sendAll([{ destinationId: "w", message: 1 }, {
    destinationId: "w",
    message: 2,
    idempotencyKey: "k",
  }]);
  assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, true]);
  assert.deepEqual(await all.client.sendAll([]), []);
});

Deno.test("connect() rejects with the classes that a Parley throws", async () => {
  const { client } = make();
  const failed = await client.start(failing, undefined);
  const error = await rejection(failed.result());
  assert.deepEqual([error.name, error.code, Reflect.get(error, "workflowId")], [
    "WorkflowFailedError",
    "workflow_failed",
    failed.workflowId,
  ]);
  assert(error.cause instanceof TypeError);
  assert.deepEqual([error.cause.message, error.cause.stack], ["no such thing", undefined]);
  for (
    const [name, call] of Object.entries({
      WorkflowNotFoundError: () => client.send("nobody", 1),
      WorkflowEndedError: () => client.send(failed.workflowId, 1),
      UnknownWorkflowError: () => client.start("unknown", 1),
      WorkflowConflictError: () => client.start("echo", 1, { workflowId: failed.workflowId, enqueue: true }),
      ValueTooLargeError: () => client.start("echo", "x".repeat(1_100_000), { enqueue: true }),
      ValidationError: () => client.list({ limit: 0 }),
    })
  ) {
    const error = await rejection(call());
    assert.equal(error.name, name);
    assert(error.message.length > 10 && !error.message.includes("xxxx"));
  }
});

Deno.test("connect() checks with the schemas of definitions before anything is sent", async () => {
  const { client, requests } = make();
  const paid = topic("paid", v.object({ ok: v.boolean() }));
  const strict = workflow("strict", (_ctx, input: number) => input, { input: v.number() });
  for (
    const call of [
      () => client.send("w", { ok: "yes" } as never, { topic: paid }),
      () => client.sendAll([{ destinationId: "w", message: { ok: "yes" as never }, topic: paid }]),
      () => client.start(strict, "text" as never),
      () => client.send("w", () => {}),
      () => client.send("", 1),
    ]
  ) assert.equal((await rejection(call())).code, "invalid_value");
  assert.equal(requests.length, 0);
});

Deno.test("connect() takes a value in the call, even if an asynchronous schema checks it later", async () => {
  const { client, parley } = make();
  const slow = v.pipeAsync(v.object({ n: v.number() }), v.checkAsync(async () => (await 0, true)));
  const topics = topic("n", slow);
  const reused = { n: 0 };
  const sent: Promise<unknown>[] = [];
  const sink = await client.start("sink", undefined, { workflowId: "sink", enqueue: true });
  for (let n = 1; n <= 4; n += 2) {
    reused.n = n;
    sent.push(client.send(sink.workflowId, reused, { topic: topics }));
    reused.n = n + 1;
    sent.push(client.sendAll([{ destinationId: sink.workflowId, message: reused, topic: topics }]));
  }
  const strict = workflow("strict", () => {}, { input: slow });
  reused.n = 5;
  const started = client.start(strict, reused, { enqueue: true });
  reused.n = 6;
  await Promise.all(sent);
  const { messages } = await parley.messages(sink.workflowId);
  assert.deepEqual(messages.map(({ value }) => (value as { n: number }).n).toSorted(), [1, 2, 3, 4]);
  assert.deepEqual((await parley.status((await started).workflowId)).input, { n: 5 });
});

Deno.test("connect() rejects with a DriverError for a faulty connection, without the token or the URL", async () => {
  const wrong = await rejection(make({ token: "wrong" }).client.list());
  assert(wrong instanceof DriverError);
  assert.deepEqual([wrong.retryable, wrong.message], [
    false,
    "Parley over HTTP: list was answered with 401 unauthorized",
  ]);
  const down = make({ faults: Array(5).fill("refused") });
  const error = await rejection(down.client.list());
  assert(error instanceof DriverError && error.retryable);
  assert.equal(down.requests.length, 5);
  assert(!Deno.inspect(error).includes("secret"));
});

Deno.test("connect() honours a signal before, while and between requests", async () => {
  const { client } = make();
  const reason = new Error("enough");
  await client.start(echo, 1, { workflowId: "w" });
  for (const delayMs of [0, 10, 120]) {
    const controller = new AbortController();
    const aborting = delay(systemClock, delayMs).then(() => controller.abort(reason));
    if (delayMs === 0) await aborting;
    assert.equal(await rejection(client.handle("w").result({ signal: controller.signal })), reason);
    await aborting;
  }
  await client.cancel("w");
});

Deno.test("connect().handle().result() waits longer than a request may, up to its own timeout", async () => {
  const { client, requests } = make();
  const handle = await client.start(echo, 1, { workflowId: "w" });
  const error = await rejection(handle.result({ timeout: 1_200 }));
  assert.deepEqual([error.code, error.message], ["timeout", "result: timed out after 1200 ms"]);
  assert(requests.length >= 3, "the server waits 50 ms at most");
  assert.equal((await rejection(handle.result({ timeout: 0 }))).code, "timeout");
  await handle.cancel();
  assert.equal((await rejection(handle.result())).code, "workflow_cancelled");
});

Deno.test("connect() refuses a url and a token that cannot be right", () => {
  for (const url of ["", "ftp://host", "host", "https://user:pw@host", "https://host?x=1"]) {
    assert.throws(() => connect({ url, token: "t" }), { code: "invalid_value" });
  }
  assert.throws(() => connect({ url: "https://host", token: "" }), { code: "invalid_value" });
});
