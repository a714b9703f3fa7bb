/**
 * An order: one function that reads like the story it tells.
 *
 * @module
 */

import { event, stream, topic, type Workflow, workflow } from "@parley/parley";
import * as v from "valibot";

/** In: the result of the payment. The provider's webhook sends it. */
export const payment = topic("payment", v.object({ paid: v.boolean() }));
/** Out: the URL of the payment page. The page that started the order awaits it. */
export const paymentUrl = event("payment-url", v.string());
/** Out: the progress, for the browser. */
export const progress = stream("progress", v.string());

/** The body of the provider's webhook. */
export const PaymentEvent = v.object({
  type: v.string(),
  data: v.object({ orderId: v.pipe(v.string(), v.nonEmpty()) }),
});

const Order = v.object({
  item: v.string(),
  origin: v.string(),
  /** How long the order waits for its payment, in seconds. */
  patience: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(86_400)), 300),
});

/**
 * Waits for its payment. While it waits there is no invocation, no memory and no connection.
 */
export const order: Workflow<v.InferInput<typeof Order>, string> = workflow(
  "order",
  async (ctx, { item, origin, patience }): Promise<string> => {
    await ctx.writeStream(progress, `You ordered ${item}`);
    // Use your provider's SDK here, with the workflow's ID as the idempotency key, because a step
    // runs at least once.
    const url = await ctx.step("create payment", () => `${origin}/pay/${encodeURIComponent(ctx.workflowId)}`);
    await ctx.setEvent(paymentUrl, url);
    await ctx.writeStream(progress, "Waiting for your payment");
    const { paid } = await ctx.recv(payment, { timeout: patience * 1_000, otherwise: { paid: false } });
    if (paid) await ctx.step("ship", () => {});
    const outcome = paid ? `${item} is on its way` : "It was not paid, so nothing was sent";
    await ctx.writeStream(progress, outcome);
    return outcome;
  },
  { input: Order },
);
