import assert from "node:assert/strict";
import { redisUrl } from "../../drivers/upstash/support/redis_server.ts";
import { startUpstashServer } from "../../drivers/upstash/server/mod.ts";
import { follow, order, pay, SECRET, startShop, test } from "./shop.ts";

const upstash = await startUpstashServer({ redisUrl: await redisUrl() });
const worker = await startShop("wrangler.upstash.jsonc", {
  bindings: { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token },
});
Deno.test.afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await upstash[Symbol.asyncDispose]();
});

test("the example over Upstash: an order is placed, paid by webhook and followed to its end", async () => {
  worker.outgoing.take();
  const placed = await order(worker, "A lamp");
  assert.match(await (await worker.fetch(placed.pay)).text(), /payment\.paid/);
  const values = await follow(worker, placed.id, async (value) => {
    if (value.startsWith("Waiting")) await pay(worker, placed);
  });
  assert.deepEqual(values, ["You ordered A lamp", "Waiting for your payment", "A lamp is on its way"]);
  assert.deepEqual([worker.outgoing.refused, worker.logs], [[], []]);
  console.log(`one order, all of its invocations: ${worker.outgoing.count().requests} requests`);
});

test("the example over Upstash: the cron trigger's sweep continues an order that nobody has continued", async () => {
  const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
  const workflowId = `swept-${crypto.randomUUID()}`;
  const input = { item: "A chair", origin: "https://shop.test" };
  const body = JSON.stringify({ workflow: "order", workflowId, input, enqueue: true });
  assert.equal((await worker.fetch("/parley/workflows", { method: "POST", headers, body })).status, 201);
  await worker.scheduled();
  const event = await worker.fetch(`/parley/workflows/${workflowId}/events/payment-url`, { headers });
  assert.equal((await event.json()).value, `https://shop.test/pay/${workflowId}`);
});
