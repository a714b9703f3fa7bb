import assert from "node:assert/strict";
import fc from "fast-check";
import type { Hono } from "hono";
import { delay, systemClock } from "../../core/time/clock.ts";
import { anyOf, bearer, parleyHttp, scopedTokens } from "../../http/mod.ts";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { type Hostile, meant, MINE, OTHERS, request } from "./support/hostile.ts";
import { echo, publisher } from "./support/setup.ts";

/** Runs of each property; 10,000 requests in all. */
const RUNS = 2_500;

/** In every value of the workflows of others. */
const CANARY = "canary-9d1f";

/** Beyond this a request hangs, on a slow machine too. */
const PATIENCE_MS = 5_000;

const TRACE = /\n\s+at |\\n\s*at |\.ts:\d+|file:\/\//;

const secret = workflow("secret", async (ctx, input: string) => {
  await Promise.all([ctx.setEvent("k", `${CANARY} event`), ctx.writeStream("k", `${CANARY} value`)]);
  if (input.endsWith("fails")) throw new Error(`${CANARY} error`);
  await ctx.recv("never");
});

const tokens = scopedTokens("a secret of the tests, and of nobody else");

/** An app with workflows of one's own and of others. */
async function make(): Promise<{ app: Hono; parley: Parley; errors: unknown[]; scoped: string }> {
  const parley = new Parley({ driver: memoryDriver(), workflows: [echo, publisher, secret], hotWait: 0, wake: "none" });
  const errors: unknown[] = [];
  const limits = { maxWait: "5ms", maxConnection: "5ms", heartbeat: "1s", bodyLimit: 100_000 } as const;
  const app = parleyHttp({
    parley,
    auth: anyOf(bearer("all"), tokens),
    cors: { origin: "*" },
    onError: (error) => errors.push(error),
    ...limits,
  });
  for (const workflowId of OTHERS) await parley.start(secret, `${CANARY} input`, { workflowId });
  await parley.start(secret, `${CANARY} fails`, { workflowId: "other/failed" });
  await parley.start(publisher, undefined, { workflowId: MINE });
  await parley.idle();
  const scoped = await tokens.mint({
    actions: ["start", "list", "info", "result", "cancel", "resume", "send", "event", "stream"],
    workflowId: MINE,
    expiresIn: "1h",
  });
  return { app, parley, errors, scoped };
}

/** Asks, and returns what came; it fails if that took too long. */
async function ask(
  app: Hono,
  { method, path, headers, body }: Hostile,
  token: string,
): Promise<{ status: number; text: string }> {
  const stop = new AbortController();
  const asked = (async () => {
    const url = URL.parse(path.startsWith("/") ? `http://localhost${path}` : path) ?? new URL("http://localhost/");
    const response = await app.request(
      new Request(url, {
        method,
        headers: { ...headers, authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
      }),
    );
    return { status: response.status, text: `${JSON.stringify([...response.headers])}\n${await response.text()}` };
  })();
  const late = delay(systemClock, PATIENCE_MS, stop.signal).then(() => stop.signal.aborted || assert.fail("it hangs"));
  try {
    return await Promise.race([asked, late.then(() => asked)]);
  } finally {
    stop.abort();
  }
}

function fuzz(title: string, arbitrary: fc.Arbitrary<Hostile>, seed: number, isScoped: boolean): void {
  Deno.test(`${title}: never a 5xx, a hang, a stack${isScoped ? ", or a value of another workflow" : ""}`, async () => {
    const { app, parley, errors, scoped } = await make();
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(arbitrary, async (hostile) => {
        const { status, text } = await ask(app, hostile, isScoped ? scoped : "all");
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        assert(status < 500, `${status}: ${text} ${Deno.inspect(errors.at(-1))}`);
        assert.doesNotMatch(text, TRACE);
        if (isScoped) assert(!text.includes(CANARY), text);
        assert.equal(Reflect.get({}, "polluted") ?? Reflect.get({}, "a"), undefined);
      }),
      { numRuns: RUNS, seed },
    );
    assert.deepEqual(errors, []);
    assert(
      (statuses.get(200) ?? 0) + (statuses.get(201) ?? 0) > RUNS / 100,
      `too few got through: ${Deno.inspect(statuses)}`,
    );
    await parley[Symbol.asyncDispose]();
  });
}

fuzz("any request of who may do everything", request, 1, false);
fuzz("any request of who may use one workflow", request, 2, true);
fuzz("bodies for their routes, of who may do everything", meant, 3, false);
fuzz("bodies for their routes, of who may use one workflow", meant, 4, true);

const ENCODED = { "content-type": "application/vnd.parley+json" };
/** A start whose input is a list of what the parts from index 2 on are. */
const start = (parts: unknown[]) => JSON.stringify({ workflow: "echo", input: [[2], "echo", ...parts] });

/** Every second one of these was the end of a server once. */
const BOMBS: Record<string, string> = {
  "a list of four billion holes as input": start([[-7, 4294967295]]),
  "a list of four billion holes as messages": JSON.stringify({ messages: [-7, 4294967295] }),
  "a list of four billion holes as a message": JSON.stringify({
    messages: [{ destinationId: "w", message: [[-7, 4294967295]] }],
  }),
  "a list of four billion holes as workflowIds": JSON.stringify({ workflowIds: [[-7, 4294967295, 5, 0]] }),
  "a list with holes as messages": JSON.stringify({ messages: [[-2, -2]] }),
  "a list that doubles thirty times": start(
    Array.from({ length: 30 }, (_, n) => [n + 3, n + 3]).concat([["Set"]] as never),
  ),
  "a map that doubles thirty times": start([...Array.from({ length: 30 }, (_, n) => ["Map", n + 3, n + 3]), ["Set"]]),
  "a long text a thousand times": start([Array(10_000).fill(3), "x".repeat(50_000)]),
  "a list in itself": start([[2, 2]]),
  "a map in itself": start([["Map", 2, 2]]),
  "an object in itself": start([{ a: 2 }]),
  "an error that is its own cause": start([["Error", 3], { name: 4, message: 4, cause: 2 }, "e"]),
  "an error with an object for a name": start([["Error", 3], { name: 4, message: 4 }, { toString: 5 }, 1]),
  "an error of this library": start([
    ["Error", 3],
    { name: 4, message: 4, fields: 5 },
    "DriverError",
    { code: 6, retryable: 7 },
    "driver",
    true,
  ]),
  "lists in lists, 20,000 deep": start(Array.from({ length: 20_000 }, (_, n) => [n + 3]).concat([[]])),
  "lists in lists, 900 deep": start(Array.from({ length: 900 }, (_, n) => [n + 3]).concat([[]])),
  "an own __proto__": '{"workflow":"echo","input":[{"__proto__":1},{"polluted":2},true]}',
  "a null object with __proto__": start([["null", "__proto__", 3], { polluted: 4 }, true]),
  "a body whose prototype is another": '{"workflow":"echo","__proto__":{"input":["echo"]}}',
  "a constructor's prototype": start([{ constructor: 3 }, { prototype: 4 }, { polluted: 5 }, true]),
  "a regular expression that backtracks": start([["RegExp", "^(a+)+$", "g"]]),
  "a regular expression that is none": start([["RegExp", "(", "zz"]]),
  "a number of ninety thousand digits": start([["BigInt", "9".repeat(90_000)]]),
  "a view that is longer than its buffer": start([["Uint8Array", 3, 0, 4294967295], ["ArrayBuffer", "AAAA"]]),
  "a boxed number": start([["Object", 3], ["BigInt", "1"]]),
  "something to be called": start([{ then: 3, toJSON: 3 }, "echo"]),
};

for (const [what, body] of Object.entries(BOMBS)) {
  Deno.test(`${what} does no harm, however it is read`, async () => {
    const { app, parley, errors } = await make();
    const path = body.includes("messages") ? "/messages" : body.includes("workflowIds") ? "/wake" : "/workflows";
    for (const token of ["wrong", "all"]) {
      const { status } = await ask(app, {
        method: "POST",
        path,
        headers: { ...ENCODED, "idempotency-key": "bomb" },
        body,
      }, token);
      assert(status < 500, `${status}`);
      if (token === "wrong") assert.equal(status, 401);
    }
    await parley.idle();
    for (const accept of ["application/json", "application/vnd.parley+json"]) {
      for (const path of ["/workflows/bomb", "/workflows/bomb/result", "/workflows"]) {
        const { status, text } = await ask(app, { method: "GET", path, headers: { accept } }, "all");
        assert(
          status === 200 || (status === 404 && path !== "/workflows"),
          `${path} as ${accept}: ${status} ${text.slice(0, 500)}`,
        );
      }
    }
    assert.deepEqual(errors, []);
    assert.equal(Reflect.get({}, "polluted"), undefined);
    await parley[Symbol.asyncDispose]();
  });
}

Deno.test("a value for which there is no JSON within reason is 406 as JSON, and there in the library's own encoding", async () => {
  const { app, parley } = await make();
  const sparse: unknown[] = [];
  sparse[4e9] = 1;
  await parley.start(echo, sparse, { workflowId: "sparse" });
  await parley.idle();
  const get = async (accept: string) =>
    (await ask(app, { method: "GET", path: "/workflows/sparse/result", headers: { accept } }, "all")).status;
  assert.deepEqual([await get("*/*"), await get("application/vnd.parley+json")], [406, 200]);
  await parley[Symbol.asyncDispose]();
});
