import assert from "node:assert/strict";
import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { startUpstashServer } from "../drivers/upstash/server/mod.ts";
import { startWorker } from "../support/workerd/mod.ts";
import { sentEvents } from "../http/support/service.ts";

/** Opens everything. */
const SECRET = "0123456789abcdef0123456789abcdef";

const upstash = await startUpstashServer({ redisUrl: await redisUrl() });
const worker = await startWorker({
  entry: "examples/cloudflare-worker/src/index.ts",
  bindings: {
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
    WEBHOOK_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    PARLEY_SECRET: SECRET,
  },
  self: "SELF",
});
Deno.test.afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await upstash[Symbol.asyncDispose]();
});

const form = (fields: Record<string, string>) => ({ method: "POST", body: new URLSearchParams(fields) });

/** Orders, as a browser does. */
async function order(item: string): Promise<{ id: string; pay: string }> {
  const response = await worker.fetch("/orders", form({ item }));
  assert.equal(response.status, 303, await response.text());
  const { pathname } = new URL(response.headers.get("location")!);
  return { id: decodeURIComponent(pathname.replace("/pay/", "")), pay: pathname };
}

/** What the page of an order shows, as its `EventSource` gets it. */
async function follow(
  id: string,
  onValue: (value: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const page = await (await worker.fetch(`/orders/${id}`)).text();
  const stream = /data-stream="([^"]+)"/.exec(page)![1]!.replaceAll("&amp;", "&");
  const values: string[] = [];
  for await (
    const { event, data } of sentEvents(await worker.fetch(stream, { headers: { accept: "text/event-stream" } }))
  ) {
    if (event === "end") break;
    if (data === undefined) continue;
    values.push(JSON.parse(data));
    await onValue(values.at(-1)!);
  }
  return values;
}

Deno.test({
  name: "the example for Workers: an order is placed, paid by webhook and followed to its end",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    worker.outgoing.take();
    const { id, pay } = await order("A lamp");
    assert.match(await (await worker.fetch(pay)).text(), /payment\.paid/);
    const values = await follow(id, async (value) => {
      if (!value.startsWith("Waiting")) return;
      const paid = await worker.fetch(pay, form({ type: "payment.paid" }));
      assert.deepEqual([paid.status, paid.headers.get("location")], [303, `/orders/${id}`]);
    });
    assert.deepEqual(values, ["You ordered A lamp", "Waiting for your payment", "A lamp is on its way"]);
    assert.deepEqual([worker.outgoing.refused, worker.logs], [[], []]);
    console.log(`one order, all of its invocations: ${worker.outgoing.count().requests} requests`);
  },
});

Deno.test({
  name:
    "the example for Workers: what is not signed is refused, and a token shows one order's progress and nothing else",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { id } = await order("<b>");
    const body = JSON.stringify({ type: "payment.paid", data: { orderId: id } });
    assert.equal((await worker.fetch("/webhook", { method: "POST", body })).status, 401);
    const page = await (await worker.fetch(`/orders/${id}`)).text();
    const token = /token=([^"&]+)/.exec(page)![1]!;
    for (const path of [`/workflows/${id}`, "/workflows", `/workflows/other/streams/progress`]) {
      assert.equal((await worker.fetch(`/parley${path}?token=${token}`)).status, 403, path);
    }
    assert.equal((await worker.fetch("/parley/workflows")).status, 401);
    // The inspector: everybody may load the page, and the server says what its user may do.
    const inspector = await worker.fetch("/parley/inspector");
    assert.match(await inspector.text(), /^<!doctype html>/);
    assert.match(inspector.headers.get("content-security-policy")!, /^default-src 'none'; script-src 'sha256-/);
    const allowed = async (query: string) => await worker.fetch(`/parley/inspector/actions?${query}`);
    assert.equal((await allowed("")).status, 401);
    assert.deepEqual(await (await allowed(`token=${token}`)).json(), { actions: [] });
  },
});

Deno.test({
  name: "the example for Workers: the cron trigger's sweep continues an order that nobody has continued",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const headers = {
      authorization: `Bearer ${SECRET}`,
      "content-type": "application/json",
    };
    const workflowId = `swept-${crypto.randomUUID()}`;
    const body = JSON.stringify({
      workflow: "order",
      workflowId,
      input: { item: "A chair", origin: "https://shop.test" },
      enqueue: true,
    });
    assert.equal((await worker.fetch("/parley/workflows", { method: "POST", headers, body })).status, 201);
    await worker.scheduled();
    const event = await worker.fetch(`/parley/workflows/${workflowId}/events/payment-url`, { headers });
    assert.equal((await event.json()).value, `https://shop.test/pay/${workflowId}`);
  },
});
