import assert from "node:assert/strict";
import { Hono } from "hono";
import { encodeValue, envelope } from "../../http/envelope.ts";
import { anyOf, type Auth, bearer, parleyHttp, scopedTokens, webhook } from "../../http/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";
import { memoryHarness } from "../drivers/memory/harness.ts";
import { publisher, serve, TOKEN, toRequest } from "./support/setup.ts";

const START = { workflow: "echo", enqueue: true };
const ENCODED = { "content-type": "application/vnd.parley+json" };

/** A body that breaks off, as where the client goes away while it sends. */
function brokenBody(): ReadableStream<Uint8Array> {
  let pulls = 0;
  return new ReadableStream({
    pull(controller) {
      if (pulls++ === 0) controller.enqueue(new TextEncoder().encode('{"workflow":'));
      else controller.error(new TypeError("connection reset"));
    },
  });
}

Deno.test("a body that breaks off is not the server's fault, at the adapter and at a webhook", async () => {
  await using harness = await memoryHarness();
  const { call, errors, parley } = serve(harness);
  assert.equal((await call("POST /workflows", { raw: brokenBody() })).status, 400);
  const onError = (error: unknown) => void errors.push(error);
  const hook = new Hono().post("/", webhook({ parley, verify: () => ({ id: "d" }), route: () => undefined, onError }));
  assert.equal(
    (await hook.request(new Request("http://localhost/", { method: "POST", body: brokenBody() }))).status,
    400,
  );
  assert.deepEqual(errors, []);
});

Deno.test("an onError that fails, at once or later, changes no answer and does not end the process", async () => {
  await using harness = await memoryHarness();
  const reporters = [() => {
    throw new Error("the log is full");
  }, () => Promise.reject(new Error("the log is full"))];
  const broken = () => {
    throw new Error("no DATABASE_URL");
  };
  for (const onError of reporters) {
    const { json } = serve(harness, { parley: broken, onError });
    await json("GET /workflows", 500);
    const hook = new Hono().post(
      "/",
      webhook({ parley: broken, verify: () => ({ id: "d" }), route: () => ({ workflowId: "w", message: 1 }), onError }),
    );
    const response = await hook.request("/", { method: "POST", body: "{}" });
    assert.deepEqual([response.status, (await response.json()).code], [500, "internal"]);
    const refusing = serve(harness, {
      driver: (driver) => ({ ...driver, claim: () => Promise.reject(new Error("down")) }),
      onError,
    });
    assert.equal((await refusing.call("POST /wake", { body: { workflowIds: ["w"] } })).status, 202);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test("a wake that fails was answered already, and is reported once", async () => {
  await using harness = await memoryHarness();
  const { call, errors, world } = serve(harness, {
    driver: (driver) => ({ ...driver, claim: () => Promise.reject(new Error("down")) }),
  });
  assert.equal((await call("POST /wake", { body: { workflowIds: ["w"] } })).status, 202);
  await world.until((async () => {
    while (errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  })());
  assert.equal(errors.length, 1);
});

Deno.test("the server bounds how long a request waits, whichever way it asks", async () => {
  const parley = new Parley({ driver: memoryDriver() });
  const app = parleyHttp({ parley, auth: bearer(TOKEN), maxWait: 5 });
  await parley.start("echo", 1, { workflowId: "w", enqueue: true });
  for (const prefer of ["wait=30", "respond-async, wait=30", 'wait="30"', "wait=99999999999999999999"]) {
    const began = performance.now();
    const headers = { authorization: `Bearer ${TOKEN}`, prefer };
    assert.equal((await app.request("/workflows/w/result", { headers })).status, 408);
    assert.equal((await app.request("/workflows/w/result?wait=30s", { headers })).status, 408);
    assert(performance.now() - began < 5_000, prefer);
  }
});

Deno.test("parameters of the mount's path are not taken for the adapter's own, whatever their names", async () => {
  await using harness = await memoryHarness();
  const { parley, world } = serve(harness);
  await parley.start(publisher, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  const token = await tokens.mint({
    actions: ["list", "stream", "info"],
    workflowId: "mine",
    keys: ["mine"],
    expiresIn: "1h",
  });
  for (const mount of ["/:id/:key", "/:key/:id"]) {
    const asked: unknown[] = [];
    const auth: Auth = (c, request) => asked.push(request) > 0 && tokens(c, request);
    const app = new Hono().route(mount, parleyHttp({ parley, auth }));
    const status = async (path: string) => (await app.request(`/mine/mine${path}?token=${token}`)).status;
    assert.deepEqual(
      [await status("/workflows"), await status("/workflows/w"), await status("/workflows/w/streams/k")],
      [403, 403, 403],
    );
    assert.deepEqual(asked, [{ action: "list" }, { action: "info", workflowId: "w" }, {
      action: "stream",
      workflowId: "w",
      key: "k",
    }]);
    const open = new Hono().route(mount, parleyHttp({ parley, auth: () => true }));
    assert.deepEqual((await (await open.request("/a/b/workflows/w/streams/k")).json()).values, ["a value"]);
  }
});

Deno.test("the document also describes a stream by the Durable Streams protocol", async () => {
  await using harness = await memoryHarness();
  const { call, parley, world } = serve(harness);
  await parley.start(publisher, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  // Each answer is compared with the document.
  for (const query of ["?offset=-1", "?offset=now", "?from=0"]) {
    assert.equal((await call(`GET /workflows/w/streams/k${query}`)).status, 200);
  }
});

Deno.test("a send with two different idempotency keys is refused", async () => {
  await using harness = await memoryHarness();
  const { json, parley } = serve(harness);
  await parley.start("echo", 1, { workflowId: "w", enqueue: true });
  const send = (status: number, header: string) =>
    json("POST /workflows/w/messages", status, {
      body: { message: 1, idempotencyKey: "a" },
      headers: { "idempotency-key": header },
    });
  assert.equal((await send(400, "b")).code, "invalid_value");
  assert.equal((await send(201, "a")).duplicate, false);
});

Deno.test("a value of a body is decoded once, and only if permissions and limits allow it, because decoding can take seconds", async () => {
  await using harness = await memoryHarness();
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  const { call } = serve(harness, { auth: anyOf(bearer(TOKEN), tokens) });
  const original = globalThis.RegExp;
  let made = 0;
  globalThis.RegExp = new Proxy(original, {
    construct(target, args) {
      if (args[0] === "canary") made++;
      return Reflect.construct(target, args);
    },
  });
  try {
    const bodies: [path: string, body: object][] = [
      ["/workflows", { ...START, input: encodeValue(/canary/) }],
      ["/workflows/w/messages", { message: encodeValue(/canary/) }],
      ["/messages", { messages: [{ destinationId: "w", message: encodeValue(/canary/) }] }],
    ];
    for (const [path, body] of bodies) {
      const ask = async (token: string, body: unknown) => {
        made = 0;
        const { status } = await call(`POST ${path}`, { raw: envelope(body), headers: ENCODED, token });
        return { status, made };
      };
      const narrow = await tokens.mint({ actions: ["start", "send"], workflowId: "another", expiresIn: "1h" });
      assert.deepEqual(await ask("wrong", body), { status: 401, made: 0 }, path);
      assert.deepEqual(await ask(narrow, body), { status: 403, made: 0 }, path);
      assert.deepEqual(await ask(TOKEN, { ...body, unknown: 1 }), { status: 400, made: 0 }, path);
      assert.equal((await ask(TOKEN, body)).made, 1, path);
    }
    const large = envelope({ ...START, input: encodeValue([/canary/, "x".repeat(2 ** 20)]) });
    made = 0;
    assert.equal((await call("POST /workflows", { raw: large, headers: ENCODED })).status, 413);
    const message = { destinationId: "w", message: encodeValue(/canary/) };
    const many = envelope({ messages: Array(10_001).fill(message) });
    assert.equal((await call("POST /messages", { raw: many, headers: ENCODED })).status, 400);
    // IDs are never encoded values.
    const ids = envelope({ workflowIds: [encodeValue(/canary/)] });
    assert.equal((await call("POST /wake", { raw: ids, headers: ENCODED, token: "wrong" })).status, 401);
    assert.equal((await call("POST /wake", { raw: ids, headers: ENCODED })).status, 400);
    assert.equal(made, 0);
  } finally {
    globalThis.RegExp = original;
  }
});

Deno.test("an auth is asked once about a body, in either encoding, and no value changes the question", async () => {
  await using harness = await memoryHarness();
  const asked: unknown[] = [];
  const auth: Auth = (_c, { workflowId = null, key = null }) =>
    asked.push([workflowId, key]) > 0 && workflowId !== "secret";
  const { call } = serve(harness, { auth });
  const ask = async (path: string, raw: string, type: string) => {
    asked.length = 0;
    const { status } = await call(`POST ${path}`, { raw, headers: { "content-type": type } });
    return { status, asked: [...asked] };
  };
  const messages = [{ destinationId: "a", message: 1 }, { destinationId: "b", message: 1, topic: "t" }, {
    destinationId: "a",
    message: 2,
    topic: "",
  }];
  for (
    const [type, encode] of [["application/json", JSON.stringify], ["application/vnd.parley+json", envelope]] as const
  ) {
    assert.deepEqual((await ask("/messages", encode({ messages }), type)).asked, [["a", ""], ["b", "t"]]);
    assert.deepEqual((await ask("/workflows/a/messages", encode({ message: 1, topic: "t" }), type)).asked, [[
      "a",
      "t",
    ]]);
    assert.deepEqual(
      (await ask("/workflows", encode({ workflow: "echo", workflowId: "a", input: null }), type)).asked,
      [["a", null]],
    );
    assert.equal(
      (await ask("/messages", encode({ messages: [{ destinationId: "secret", message: 1 }] }), type)).status,
      401,
    );
  }
  // As one encoded value each would be a message or a start for `secret`.
  const hidden: [path: string, parts: unknown[]][] = [
    ["/messages", [{ messages: 1 }, [2], ["null", "destinationId", 3, "message", 3], "secret"]],
    ["/messages", [{ messages: 1 }, [-7, 1, 0, 2], { destinationId: 3, message: 3 }, "secret"]],
    ["/messages", [["null", "messages", 1], [2], { destinationId: 3, message: 3 }, "secret"]],
    ["/workflows", [["null", "workflow", 1, "workflowId", 2, "enqueue", 3], "echo", "secret", true]],
  ];
  for (const [path, parts] of hidden) {
    const { status, asked } = await ask(path, JSON.stringify(parts), "application/vnd.parley+json");
    assert.deepEqual([status, asked], [400, [[null, null]]], JSON.stringify(parts));
  }
});

Deno.test("credentials are checked once a request, however many workflows it concerns", async () => {
  await using harness = await memoryHarness();
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  const scoped = await tokens.mint({ actions: ["send"], expiresIn: "1h" });
  const messages = Array.from({ length: 100 }, (_, n) => ({ destinationId: `w${n}`, message: n }));
  const { verify } = crypto.subtle;
  let checks = 0;
  crypto.subtle.verify = (...args: Parameters<typeof verify>) => (checks++, verify.apply(crypto.subtle, args));
  try {
    for (const [auth, token] of [[bearer(TOKEN), TOKEN], [tokens, scoped]] as const) {
      checks = 0;
      const { app } = serve(harness, { auth });
      assert.equal((await app.request(toRequest("POST /messages", { token, body: { messages } }))).status, 404);
      assert.equal(checks, 1);
      assert.equal(
        (await app.request(toRequest("POST /messages", { token: "wrong", body: { messages } }))).status,
        401,
      );
    }
  } finally {
    crypto.subtle.verify = verify;
  }
});
