/**
 * The checkout: one function that reads like the story it tells. It survives the death of its
 * process at any line.
 *
 * @module
 */

import {
  event,
  type StepOptions,
  stream,
  TimeoutError,
  topic,
  type Workflow,
  workflow,
  type WorkflowContext,
} from "@parley/parley";
import * as v from "valibot";
import { euros } from "./order.ts";

/** In: the customer's choice on the payment page. The provider's webhook sends it. */
export const payment = topic("payment", v.object({ status: v.picklist(["paid", "declined"]) }));
/** In: the customer changed their mind. */
export const cancellation = topic("cancellation", v.object({}));
/** Out: the URL of the payment page. The page that started the checkout awaits it. */
export const paymentUrl = event("payment-url", v.pipe(v.string(), v.url()));
/** Out: the progress, for the browser to follow. */
export const progress = stream(
  "progress",
  v.object({
    stage: v.picklist(["placed", "waiting", "paid", "charged", "shipped", "declined", "cancelled", "abandoned"]),
    text: v.string(),
  }),
);
export type Progress = NonNullable<typeof progress["~type"]>;

/**
 * The amount is part of the input, so that a run that carries on tomorrow does not see tomorrow's
 * prices.
 */
const Checkout = v.object({
  goods: v.string(),
  customer: v.string(),
  cents: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** How long the customer has to pay. */
  windowMs: v.pipe(v.number(), v.integer(), v.minValue(0)),
  returnUrl: v.pipe(v.string(), v.url()),
});
export type Checkout = v.InferOutput<typeof Checkout>;

export type Outcome = "shipped" | "declined" | "cancelled" | "abandoned";
export interface Receipt {
  outcome: Outcome;
  tracking?: string;
}

/**
 * The outside world. Each call has a key, because steps run at least once and the other side must
 * recognise a repeated call, as payment providers do. The key contains the order's ID, so it is the
 * same in each try.
 */
export interface Services {
  createSession(
    request: { orderId: string; cents: number; returnUrl: string },
    call: Call,
  ): Promise<{ id: string; url: string }>;
  charge(request: { orderId: string; cents: number }, call: Call): Promise<{ id: string }>;
  ship(request: { orderId: string }, call: Call): Promise<{ id: string }>;
}

export interface Call {
  idempotencyKey: string;
  signal: AbortSignal;
}

const RETRY: StepOptions = { retries: 4, delay: "250ms", maxDelay: "5s" };

const NO_SALE = { declined: "The payment was declined", cancelled: "You cancelled", abandoned: "Nobody paid in time" };

/** Makes the workflow, with its services. */
export function checkoutWorkflow(services: Services): Workflow<Checkout, Receipt> {
  return workflow("checkout", async (ctx, { goods, customer, cents, windowMs, returnUrl }): Promise<Receipt> => {
    const orderId = ctx.workflowId;
    const report = (stage: Progress["stage"], text: string) => ctx.writeStream(progress, { stage, text });

    await report("placed", `${goods} for ${customer}`);
    const session = await ctx.step("create session", ({ signal }) => {
      return services.createSession({ orderId, cents, returnUrl }, { idempotencyKey: `${orderId}/session`, signal });
    }, RETRY);
    await ctx.setEvent(paymentUrl, session.url);
    await report("waiting", `Waiting for ${euros(cents)}`);

    const decision = await decided(ctx, windowMs);
    if (decision !== "paid") {
      await report(decision, NO_SALE[decision]);
      await ctx.closeStream(progress);
      return { outcome: decision };
    }

    // The customer has only authorised the payment. The capture happens here, so a payment that
    // comes too late costs nobody anything.
    await report("paid", "The payment is authorised");
    await ctx.step(
      "charge",
      ({ signal }) => services.charge({ orderId, cents }, { idempotencyKey: `${orderId}/charge`, signal }),
      RETRY,
    );
    await report("charged", `${euros(cents)} charged`);
    const parcel = await ctx.step(
      "ship",
      ({ signal }) => services.ship({ orderId }, { idempotencyKey: `${orderId}/ship`, signal }),
      RETRY,
    );
    await report("shipped", `On its way as ${parcel.id}`);
    await ctx.closeStream(progress);
    return { outcome: "shipped", tracking: parcel.id };
  }, { input: Checkout });
}

/**
 * The result of the payment: the first message of either topic, or the timeout. The wait holds no
 * memory and no connection.
 */
async function decided(
  ctx: WorkflowContext,
  timeout: number,
): Promise<"paid" | "declined" | "cancelled" | "abandoned"> {
  try {
    const received = await ctx.recvAny([payment, cancellation], { timeout });
    return received.topic === "payment" ? received.message.status : "cancelled";
  } catch (error) {
    if (error instanceof TimeoutError) return "abandoned";
    throw error;
  }
}
