import assert from "node:assert/strict";
import { connect } from "../../../http/client/client.ts";
import { bearer, parleyHttp, scopedTokens } from "../../../http/mod.ts";
import { memoryDriver, Parley, topic, workflow } from "../../../mod.ts";

const payment = topic<bigint>("payment");

const order = workflow("order", async (ctx, input: { isBroken: boolean }) => {
  await ctx.setEvent("state", new Map([["paid", false]]));
  await ctx.writeStream("log", "begun");
  const amount = await ctx.recv(payment);
  await ctx.step("charge", () => {
    if (input.isBroken) throw new RangeError("no money");
  });
  return amount;
});

const family = workflow("family", async (ctx) => {
  const child = await ctx.start(order, { isBroken: false }, { workflowId: "child" });
  return await child.result();
});

/** A client of an adapter over memory. `lose`: which answers are lost, by the number of the request. */
function make({ lose = [] }: { lose?: number[] } = {}) {
  const parley = new Parley({ driver: memoryDriver(), workflows: [order, family], hotWait: 0 });
  const tokens = scopedTokens("a secret of the tests");
  const own = bearer("s3cret");
  const app = parleyHttp({ parley, auth: async (c, request) => await own(c, request) || await tokens(c, request) });
  const requests: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const response = await app.request(url, init);
    requests.push(`${init.method} ${new URL(url).pathname}${new URL(url).search}`);
    if (lose.includes(requests.length)) throw new TypeError("connection closed before message completed");
    return response;
  };
  const clientWith = (token: string) => connect({ url: "http://parley.test", token, fetch });
  return { parley, app, tokens, requests, clientWith, client: clientWith("s3cret") };
}

Deno.test("connect() shows history, messages, events and streams with equal values, each in one request", async () => {
  const { parley, client, requests } = make();
  await client.start(order, { isBroken: true }, { workflowId: "o" });
  await client.send("o", 5n, { topic: payment, idempotencyKey: "k" });
  await client.send("o", { misspelt: new Date(0) }, { topic: "paymnet" }).catch(() => {});
  await assert.rejects(client.result("o"), { code: "workflow_failed" });
  requests.length = 0;
  assert.deepEqual(await client.history("o", { limit: 2 }), {
    ...await parley.history("o", { limit: 2 }),
  });
  assert.deepEqual(await client.messages("o", { state: "all" }), await parley.messages("o", { state: "all" }));
  assert.deepEqual(await client.events("o"), await parley.events("o"));
  assert.deepEqual(await client.streams("o"), await parley.streams("o"));
  assert.deepEqual(requests, [
    "GET /workflows/o/history?limit=2",
    "GET /workflows/o/messages?state=all",
    "GET /workflows/o/events",
    "GET /workflows/o/streams",
  ]);
  const { entries } = await client.history("o", { after: 2 });
  assert.deepEqual(entries.map(({ kind, name, state, error }) => [kind, name, state, error?.name, error?.stack]), [
    ["step", "charge", "failed", "RangeError", undefined],
  ]);
  assert.deepEqual((await client.status("o")).failed, { position: 3, operation: 'step "charge"' });
  for (const look of ["history", "messages", "events", "streams"] as const) {
    await assert.rejects(client[look]("no"), { code: "workflow_not_found", workflowId: "no" });
  }
});

Deno.test("connect() resumes from a position, cancels with children, deletes and delays", async () => {
  const { parley, client } = make();
  await client.start(family, undefined, { workflowId: "top" });
  await parley.idle();
  await assert.rejects(client.resume("top", { from: 0 }), { code: "workflow_active", status: "PENDING" });
  await assert.rejects(client.delete("top"), { code: "workflow_active" });
  await client.cancel("top", { children: true });
  assert.deepEqual([(await client.status("top")).status, (await client.status("child")).status], [
    "CANCELLED",
    "CANCELLED",
  ]);
  await client.resume("child", { from: 2 });
  await client.send("child", 7n, { topic: payment });
  assert.equal(await client.result("child"), 7n);
  await client.delete("child");
  await assert.rejects(client.status("child"), { code: "workflow_not_found" });
  await assert.rejects(client.resume("top", { from: -1 }), { code: "invalid_value" });

  const later = await client.start(order, { isBroken: false }, { delay: "1h", workflowId: "eu-1" });
  await client.start(order, { isBroken: false }, { at: new Date(Date.now() + 3_600_000), workflowId: "eu-2" });
  assert.equal((await later.status()).status, "ENQUEUED");
  const ids = async (query: Parameters<typeof client.list>[0]) =>
    (await client.list(query)).workflows.map(({ workflowId }) => workflowId).sort();
  assert.deepEqual(await ids({ idPrefix: "eu-", createdAfter: 0 }), ["eu-1", "eu-2"]);
  assert.deepEqual(await ids({ idPrefix: "eu-", createdBefore: new Date(0) }), []);
  assert.deepEqual(await ids({ idPrefix: "eu-", due: true }), []);
  // The isolate has timers for what it has delayed.
  await parley.close();
});

Deno.test("connect().delete() succeeds if its answer was lost, and fails if there was nothing to delete", async () => {
  const { parley, client } = make({ lose: [1] });
  await parley.start(order, { isBroken: false }, { workflowId: "o" });
  await parley.idle();
  await parley.cancel("o");
  await client.delete("o");
  await assert.rejects(parley.status("o"), { code: "workflow_not_found" });
  await assert.rejects(client.delete("o"), { code: "workflow_not_found" });
});

Deno.test("a token with inspect may look and nothing else, and one without it may not look", async () => {
  const { parley, tokens, clientWith } = make();
  await parley.start(order, { isBroken: false }, { workflowId: "o" });
  await parley.start(order, { isBroken: false }, { workflowId: "p" });
  await parley.idle();
  const looking = clientWith(await tokens.mint({ actions: ["inspect"], workflowId: "o", expiresIn: "1m" }));
  assert.equal((await looking.history("o")).entries.length, 3);
  await assert.rejects(looking.history("p"), /403 forbidden/);
  for (const call of ["status", "cancel", "resume", "delete"] as const) {
    await assert.rejects(looking[call]("o"), /403 forbidden/);
  }
  const acting = clientWith(await tokens.mint({ actions: ["cancel", "delete", "info"], expiresIn: "1m" }));
  for (const look of ["history", "messages", "events", "streams"] as const) {
    await assert.rejects(acting[look]("o"), /403 forbidden/);
  }
  await acting.cancel("o");
  await acting.delete("o");
});

Deno.test("a cancel, a resume and a delete need no body, and a wrong one is refused before anything happens", async () => {
  const { parley, app } = make();
  await parley.start(order, { isBroken: false }, { workflowId: "o" });
  await parley.idle();
  const request = async (method: string, path: string, body?: string) => {
    const response = await app.request(path, {
      method,
      headers: { authorization: "Bearer s3cret", ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body }),
    });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await request("POST", "/workflows/o/cancel", '{"child": true}'), 400);
  assert.equal(await request("POST", "/workflows/o/cancel", "{"), 400);
  assert.equal((await parley.status("o")).status, "PENDING");
  assert.equal(await request("POST", "/workflows/o/cancel"), 204);
  assert.equal(await request("POST", "/workflows/o/resume", '{"from": "1"}'), 400);
  assert.equal((await parley.status("o")).status, "CANCELLED");
  assert.equal(await request("POST", "/workflows/o/resume", '{"from": 1}'), 204);
  await parley.idle();
  assert.equal(await request("DELETE", "/workflows/o"), 409);
  assert.equal(await request("POST", "/workflows/o/cancel", '{"children": true}'), 204);
  assert.equal(await request("DELETE", "/workflows/o"), 204);
  assert.equal(await request("DELETE", "/workflows/o"), 404);
});
