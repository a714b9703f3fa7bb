/**
 * The adapter and webhooks over clients that are no `Parley`: one over HTTP, and one that lacks operations.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import * as v from "valibot";
import { UnsupportedError } from "../../core/errors.ts";
import { memoryDriver } from "../../drivers/memory/mod.ts";
import type { RegisterTest } from "../../conformance/mod.ts";
import { bearer, parleyHttp, scopedTokens, webhook } from "../../http/mod.ts";
import { type Client, Parley, topic, workflow } from "../../mod.ts";
import { memoryHarness } from "../drivers/memory/harness.ts";
import { durableStreams } from "./suites/durable_streams.ts";
import { durableStreamsClient } from "./suites/durable_streams_client.ts";
import { events } from "./suites/events.ts";
import { live } from "./suites/live.ts";
import { streams } from "./suites/streams.ts";
import { liveStreams } from "./suites/streams_live.ts";
import { connected, serving } from "./support/hop.ts";
import { lineOf } from "./support/setup.ts";
import { sentEvents, take, until } from "./support/service.ts";
import { ROUTES } from "../../http/routes/mod.ts";

/** The rules that do not hold over a client of another adapter, with the reasons. */
const EXEMPT: Readonly<Record<string, string>> = {
  "a connection is over after its time, and only the end of the stream is told as one":
    "it counts the store's watches, which end one request later",
  "Durable Streams: a poll lasts 30 s at most, and a connection a minute, whatever the server's own limits":
    "it reads the timers of the process, which are also those of the other adapter",
  "a stream with a long past does not hold up the others":
    "the first look at an event takes a request of its own, which may come after the stream's",
};

/** Registers a rule unless it is exempt. */
const overHop: RegisterTest = (name, fn) => {
  Deno.test({ name: `over connect(): ${name}`, ignore: name in EXEMPT, fn: async () => await fn() });
};
const hop = serving(memoryHarness, connected);
for (const suite of [events, streams, liveStreams, live, durableStreams, durableStreamsClient]) suite(overHop, hop);

const TOKEN = "s3cret";
const news = topic<unknown>("news");
const listener = workflow("listener", async (ctx) => await ctx.recv(news));
const scribe = workflow("scribe", async (ctx) => {
  await ctx.setEvent("state", "open");
  for (let count = 0; count < 3; count++) await ctx.writeStream("log", count);
  await ctx.recv();
  await ctx.writeStream("log", 3);
});

/** Asks an adapter over a client. */
function over(client: Partial<Client>, options: { onError?: (error: unknown) => void } = {}) {
  const app = parleyHttp({ parley: client, auth: bearer(TOKEN), inspector: true, ...options });
  return async (line: string, { body, accept = "*/*" }: { body?: unknown; accept?: string } = {}) => {
    const [method = "", path = ""] = line.split(" ");
    return await app.request(path, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        accept,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  };
}

/** The bodies of the routes that need one. */
const BODIES: Readonly<Record<string, unknown>> = {
  "POST /workflows": { workflow: "w" },
  "POST /workflows/w/messages": { message: 1 },
  "POST /messages": { messages: [{ destinationId: "w", message: 1 }] },
  "POST /wake": { workflowIds: ["w"] },
};

/** Clients whose operations are absent, or say that they are not supported. */
const LACKING: Readonly<Record<string, Partial<Client>>> = {
  "absent": {},
  "not supported": new Proxy({}, {
    get: (_, name) =>
      name === "sweep" || name === "wake" || name === "spent" || name === "readStreamPages" ? undefined : () => {
        throw new UnsupportedError(`There is no ${String(name)} here`);
      },
  }),
};

for (const [kind, client] of Object.entries(LACKING)) {
  Deno.test(`every route of an operation that is ${kind} answers 501 with a problem, and reports nothing`, async () => {
    const errors: unknown[] = [];
    const ask = over(client, { onError: (error) => errors.push(error) });
    for (const route of ROUTES) {
      const line = lineOf(route);
      if (line === "GET /openapi.json") continue;
      const path = line.endsWith("/live") ? `${line}?stream=a&event=b` : line;
      for (const accept of ["application/json", "text/event-stream"]) {
        const response = await ask(path, {
          body: BODIES[line],
          accept: route.spec.path.includes("live") ? "text/event-stream" : accept,
        });
        if (response.status === 406) continue;
        const { code, status } = await response.json();
        assert.deepEqual([response.status, status, code], [501, 501, "unsupported"], `${line} as ${accept}`);
        assert.equal(response.headers.get("content-type"), "application/problem+json");
      }
    }
    assert.deepEqual(errors, []);
  });
}

Deno.test("a client with some of the operations serves those, and the inspector's page", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [scribe] });
  await parley.start(scribe, undefined, { workflowId: "w" });
  const ask = over({ readStream: (...args) => parley.readStream(...args), status: (id) => parley.status(id) });
  assert.equal((await (await ask("GET /workflows/w")).json()).status, "PENDING");
  await until(async () => (await parley.streams("w"))[0]?.length === 3);
  assert.deepEqual(await (await ask("GET /workflows/w/streams/log")).json(), {
    values: [0, 1, 2],
    nextOffset: 3,
    closed: false,
  });
  assert.deepEqual(await (await ask("GET /workflows/w/streams/log?from=1&limit=1")).json(), {
    values: [1],
    nextOffset: 2,
    closed: false,
  });
  // Without a list of the streams, the end is found by reading.
  const now = await ask("GET /workflows/w/streams/log?offset=now");
  assert.deepEqual([await now.json(), now.headers.get("stream-next-offset")], [[], "0000000000000003"]);
  assert.equal((await ask("POST /workflows/w/cancel")).status, 501);
  assert.equal((await ask("GET /inspector")).status, 200);
});

Deno.test("a frozen client, as options that nobody may change, serves what it has", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [listener] });
  await parley.start(listener, undefined, { workflowId: "w" });
  const client: Partial<Client> = Object.freeze({ send: parley.send.bind(parley), status: parley.status.bind(parley) });
  const ask = over(client);
  assert.equal((await (await ask("GET /workflows/w")).json()).status, "PENDING");
  assert.equal((await ask("POST /workflows/w/messages", { body: { message: 1, topic: "news" } })).status, 201);
  assert.equal((await ask("GET /workflows/w/streams/log")).status, 501);
  assert.equal(await parley.result("w"), 1);
});

Deno.test("a live stream over a client goes from what is there to what comes, and ends with the stream", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [scribe] });
  await parley.start(scribe, undefined, { workflowId: "w" });
  await until(async () => (await parley.streams("w"))[0]?.length === 3);
  const ask = over(connected(parley));
  const events = sentEvents(await ask("GET /workflows/w/streams/log", { accept: "text/event-stream" }));
  const values = async (count: number) =>
    (await take(events, count, ({ data, event }) => data !== undefined && event === undefined)).map(({ data }) => data);
  assert.deepEqual(await values(3), ["0", "1", "2"]);
  await parley.send("w", null);
  assert.deepEqual(await values(1), ["3"]);
  const [end] = await take(events, 1, ({ event }) => event !== undefined);
  assert.equal(end?.event, "end");
  await events.return(undefined);
});

Deno.test("a client of a client does what a Parley does, and every value comes back equal", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [listener, scribe] });
  const client = connected(connected(parley));
  const value = { at: new Date(5), seen: new Map([[1, new Set([-0, 2n])]]), none: undefined };
  const { created } = await client.start(listener, undefined, { workflowId: "w" });
  assert.deepEqual([created, (await client.start(listener, undefined, { workflowId: "w" })).created], [true, false]);
  const receipts = await client.sendAll([{ destinationId: "w", message: value, topic: news, idempotencyKey: "k" }]);
  const { duplicate, messageId } = await client.send("w", value, { topic: news, idempotencyKey: "k" });
  assert.deepEqual([receipts, duplicate], [[{ messageId, duplicate: false }], true]);
  assert.deepEqual(await client.result("w"), value);
  assert.deepEqual((await client.history("w")).entries.map(({ kind, value }) => [kind, value]), [["recv", value]]);
  assert.equal((await client.messages("w", { state: "received" })).messages.length, 1);

  // The schema of the starter applies where the store's server does not know the workflow.
  const input = v.pipe(v.string(), v.transform((text) => new Date(text)));
  const strange = workflow("strange", (_ctx, at: Date) => at, { input });
  await client.start(strange, "2026-01-01T00:00:00Z", { workflowId: "s", enqueue: true });
  assert.deepEqual((await parley.status("s")).input, new Date("2026-01-01T00:00:00Z"));
  await assert.rejects(client.start("unknown", 1), { code: "unknown_workflow" });
  assert.deepEqual((await client.list({ status: "ENQUEUED" })).workflows.map(({ workflowId }) => workflowId), ["s"]);
  await client.cancel("s");
  await client.delete("s");
  await assert.rejects(client.status("s"), { code: "workflow_not_found" });

  await client.start(scribe, undefined, { workflowId: "log" });
  assert.equal(await client.getEvent("log", "state"), "open");
  await parley.send("log", null);
  await parley.result("log");
  assert.deepEqual(await client.readStream("log", "log").collect(), {
    values: [0, 1, 2, 3],
    closed: true,
    nextOffset: 4,
  });
  assert.deepEqual((await client.events("log")).map(({ key }) => key), ["state"]);
  assert.deepEqual((await client.streams("log")).map(({ length }) => length), [4]);
});

Deno.test("a webhook over a client sends each delivery once, and scoped tokens hold", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [listener] });
  const client = connected(parley);
  await client.start(listener, undefined, { workflowId: "order" });
  const app = new Hono().post(
    "/hook",
    webhook({
      parley: client,
      verify: ({ headers }) => ({ id: headers.get("x-id")! }),
      route: ({ list, text }) => {
        const message = { workflowId: "order", topic: news, message: text };
        return list ? [message, { ...message, message: `${text} again` }] : message;
      },
    }),
  );
  const deliver = async (id: string, body: object) =>
    await (await app.request("/hook", { method: "POST", headers: { "x-id": id }, body: JSON.stringify(body) })).json();
  assert.deepEqual(await deliver("1", { text: "paid" }), { received: true, duplicate: false });
  assert.equal(await client.result("order"), "paid");
  await parley.start(workflow("other", () => {}), undefined, { workflowId: "order-2", enqueue: true });

  const tokens = scopedTokens("a secret of the tests");
  const scoped = parleyHttp({ parley: client, auth: tokens });
  const token = await tokens.mint({ actions: ["info"], workflowId: "order", expiresIn: "1m" });
  const status = async (path: string) =>
    (await scoped.request(path, { headers: { authorization: `Bearer ${token}` } })).status;
  assert.deepEqual([await status("/workflows/order"), await status("/workflows/order-2")], [200, 403]);
});

Deno.test("a webhook whose deliveries are repeated over a client has no second message", async () => {
  await using parley = new Parley({ driver: memoryDriver() });
  await parley.start("waiting", undefined, { workflowId: "order", enqueue: true });
  const client = connected(parley);
  const hook = (route: () => { workflowId: string; message: unknown }[]) =>
    new Hono().post("/hook", webhook({ parley: client, verify: () => ({ id: "d1" }), route }));
  const one = { workflowId: "order", message: 1 };
  for (const messages of [[one], [one, { ...one, message: 2 }]]) {
    const app = hook(() => messages);
    for (const duplicate of [false, true]) {
      const answer = await (await app.request("/hook", { method: "POST", body: "{}" })).json();
      assert.deepEqual(answer, { received: true, duplicate });
    }
  }
  const { messages } = await parley.messages("order");
  assert.deepEqual(messages.map(({ value }) => value), [1, 2]);
});

Deno.test("a webhook over a client that cannot send answers 501, and tells its owner", async () => {
  const errors: unknown[] = [];
  for (const parley of [{}, LACKING["not supported"]!]) {
    const app = new Hono().post(
      "/hook",
      webhook({
        parley,
        verify: () => ({ id: "d1" }),
        route: () => ({ workflowId: "order", message: "canary" }),
        onError: (error) => errors.push(error),
      }),
    );
    const response = await app.request("/hook", { method: "POST", body: "{}" });
    const { code, detail } = await response.json();
    assert.deepEqual([response.status, code], [501, "unsupported"]);
    assert.doesNotMatch(detail, /canary|order/);
  }
  assert.deepEqual(errors.map((error) => error instanceof UnsupportedError), [true, true]);
});
