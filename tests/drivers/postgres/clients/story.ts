/**
 * A story that must work through every database client. It runs in Deno and in Bun.
 *
 * @module
 */

import { event, Parley, stream, topic, workflow } from "@parley/parley";
import type { Driver } from "@parley/parley/driver";
import assert from "node:assert/strict";

const link = event<string>("link");
const paid = topic<{ amount: number }>("paid");
const progress = stream<string>("progress");

const order = workflow("order", async (ctx, item: string) => {
  await ctx.setEvent(link, `https://pay.example/${item}`);
  const { amount } = await ctx.recv(paid);
  await ctx.step("charge", () => amount);
  await ctx.writeStream(progress, `${amount} paid, "quoted" \\ and é\u{1F600}`);
  await ctx.closeStream(progress);
  return amount;
});

/**
 * Starts a workflow on an empty database, sends to it, reads from it, and lets a statement fail.
 *
 * The first call finds no schema. The driver creates it only if it finds the SQLSTATE in the
 * client's error.
 *
 * @param driver A driver over the client, with a schema that does not exist.
 */
export async function tellStory(driver: Driver): Promise<void> {
  await using parley = new Parley({ driver, workflows: [order], wake: "none" });
  const handle = await parley.start(order, "lamp");
  assert.equal(await handle.getEvent(link, { timeout: "20s" }), "https://pay.example/lamp");
  const key = { topic: paid, idempotencyKey: "delivery-1" };
  assert.equal((await handle.send({ amount: 20 }, key)).duplicate, false);
  assert.equal((await handle.send({ amount: 20 }, key)).duplicate, true);
  assert.equal(await handle.result({ timeout: "20s" }), 20);
  assert.deepEqual(await Array.fromAsync(handle.readStream(progress)), ['20 paid, "quoted" \\ and é\u{1F600}']);
  assert.equal((await handle.status()).status, "SUCCESS");
  assert.equal(await driver.readWorkflow("no such workflow"), null);

  const failing = driver.create({ workflowId: "a\0", name: "order", input: "", owner: "owner", leaseMs: null });
  await assert.rejects(failing, { code: "driver", retryable: false, message: /SQLSTATE 22P05/ });
  const input = null as unknown as string;
  const violating = driver.create({ workflowId: "a", name: "order", input, owner: "owner", leaseMs: null });
  await assert.rejects(violating, {
    code: "driver",
    message: 'Postgres: create failed (SQLSTATE 23502, column "input" of table "workflows")',
  });
}
