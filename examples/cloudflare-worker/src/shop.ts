/**
 * The routes of the shop: an order waits for its payment, a webhook brings it, and the browser
 * follows. They are the same over every store.
 *
 * @module
 */

import type { Parley } from "@parley/parley";
import { anyOf, bearer, parleyHttp, scopedTokens, standardWebhooks, webhook } from "@parley/parley/http";
import { type Context, Hono } from "hono";
import { orderPage, payPage, shopPage } from "./pages.ts";
import { deliver } from "./provider.ts";
import { order, payment, PaymentEvent, paymentUrl } from "./workflow.ts";

/** The secrets. For `wrangler dev` they are in `.dev.vars`. */
export interface Secrets {
  /** The secret of the payment provider. */
  WEBHOOK_SECRET: string;
  /**
   * The token that allows everything, and that signs the tokens of browsers. At least 16
   * characters.
   */
  PARLEY_SECRET: string;
}

/** Keeps an invocation alive after its answer. */
export type Invocation = Pick<Context["executionCtx"], "waitUntil">;

/**
 * Makes the shop.
 *
 * @param parleyFor Makes a `Parley` for each invocation, because connections on Workers belong to one
 * invocation. It opens nothing.
 */
export function shop<Env extends Secrets>(parleyFor: (env: Env, ctx: Invocation) => Parley): Hono<{ Bindings: Env }> {
  const parleyOf = (c: Context<{ Bindings: Env }>) => parleyFor(c.env, c.executionCtx);

  /** A Worker gets its secrets with each request, so they come from a function. */
  const tokens = scopedTokens((c) => c.env.PARLEY_SECRET);

  const app = new Hono<{ Bindings: Env }>();

  app.get("/", (c) => c.html(shopPage()));

  app.post("/orders", async (c) => {
    const { item, patience } = await c.req.parseBody();
    const parley = parleyOf(c);
    const { origin } = new URL(c.req.url);
    const { workflowId } = await parley.start(order, { item: String(item), origin, patience: Number(patience ?? 300) });
    return c.redirect(await parley.getEvent(workflowId, paymentUrl, { timeout: "10s" }), 303);
  });

  app.get("/orders/:id", async (c) => {
    const workflowId = c.req.param("id");
    const token = await tokens.mint({ actions: ["stream"], workflowId, keys: ["progress"], expiresIn: "1h" }, c);
    return c.html(orderPage(`/parley/workflows/${encodeURIComponent(workflowId)}/streams/progress?token=${token}`));
  });

  app.post(
    "/webhook",
    webhook({
      parley: parleyOf,
      verify: standardWebhooks((c) => c.env.WEBHOOK_SECRET),
      schema: PaymentEvent,
      route: ({ type, data }) => ({
        workflowId: data.orderId,
        topic: payment,
        message: { paid: type === "payment.paid" },
      }),
    }),
  );

  // This stands in for a payment provider, so that there is something to click on.
  app.get("/pay/:id", (c) => c.html(payPage(c.req.param("id"))));
  app.post("/pay/:id", async (c) => {
    const { type } = await c.req.parseBody();
    const delivery = await deliver(new URL("/webhook", c.req.url), c.env.WEBHOOK_SECRET, {
      type,
      data: { orderId: c.req.param("id") },
    });
    const { ok } = await app.fetch(delivery, c.env, c.executionCtx);
    return ok
      ? c.redirect(`/orders/${encodeURIComponent(c.req.param("id"))}`, 303)
      : c.text("The shop did not take it", 502);
  });

  app.route(
    "/parley",
    parleyHttp({
      parley: parleyOf,
      inspector: true,
      auth: anyOf(bearer((c) => c.env.PARLEY_SECRET), tokens),
    }),
  );
  return app;
}
