/**
 * An order that waits for its payment. While it waits it holds no memory and no connection.
 *
 * @module
 */

import { event, stream, TimeoutError, topic, workflow, type WorkflowContext } from "@parley/parley";
import * as v from "valibot";

/** In: the result of the payment. The provider's webhook sends it. */
export const payment = topic("payment", v.object({ paid: v.boolean() }));
/** Out: the URL of the payment page. */
export const payUrl = event("pay-url", v.pipe(v.string(), v.url()));
/** Out: the progress, for the browser. */
export const progress = stream("progress", v.string());

/** The input of an order. */
export const Order = v.object({ item: v.pipe(v.string(), v.nonEmpty(), v.maxLength(100)) });

/** The workflow. */
export const order = workflow("order", async (ctx, { item }) => {
  await ctx.writeStream(progress, `You ordered: ${item}`);
  // Steps are recorded, and never run again after that. A step that calls a provider passes the
  // order's ID as the idempotency key.
  const url = await ctx.step("create payment session", () => `https://pay.example/sessions/${ctx.workflowId}`, {
    retries: 3,
  });
  await ctx.setEvent(payUrl, url);

  if (!await isPaid(ctx)) {
    await ctx.writeStream(progress, "Nobody paid");
    return "abandoned";
  }
  await ctx.step("ship", () => console.log(`Shipping order ${ctx.workflowId}`), { retries: 3 });
  await ctx.writeStream(progress, "It is on its way");
  return "shipped";
}, { input: Order });

async function isPaid(ctx: WorkflowContext): Promise<boolean> {
  try {
    return (await ctx.recv(payment, { timeout: "15m" })).paid;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}
