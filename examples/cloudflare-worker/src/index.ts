/**
 * A shop on Cloudflare Workers. An order waits for its payment, a webhook brings it, and the
 * browser follows.
 *
 * @module
 */

import { Parley } from "@parley/parley";
import { anyOf, bearer, httpWake, parleyHttp, scopedTokens, standardWebhooks, webhook } from "@parley/parley/http";
import { upstashDriver } from "@parley/parley/upstash";
import { type Context, Hono } from "hono";
import { orderPage, payPage, shopPage } from "./pages.ts";
import { deliver } from "./provider.ts";
import { order, payment, PaymentEvent, paymentUrl } from "./workflow.ts";

/** The bindings of `wrangler.jsonc`, and the secrets. */
export interface Env {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  /** The secret of the payment provider. */
  WEBHOOK_SECRET: string;
  /**
   * The token that allows everything, and that signs the tokens of browsers. At least 16
   * characters.
   */
  PARLEY_SECRET: string;
  /** This Worker, which continues workflows in invocations of their own. */
  SELF: { fetch(url: string, init: RequestInit): Promise<Response> };
}

type ExecutionContext = Pick<Context["executionCtx"], "waitUntil">;

/**
 * Makes a `Parley` for each invocation, because connections on Workers belong to one invocation. It
 * opens nothing.
 */
function parleyFor(env: Env, ctx: ExecutionContext): Parley {
  const fetch = (url: string, init: RequestInit) => env.SELF.fetch(url, init);
  return new Parley({
    driver: upstashDriver({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN }, {
      retention: "7d",
    }),
    workflows: [order],
    waitUntil: (work) => ctx.waitUntil(work),
    wake: httpWake({ url: "https://self/parley", token: env.PARLEY_SECRET, fetch }),
    // A wait holds nothing. A run ends before its invocation does. Both stay below the 50 requests
    // of the free plan.
    hotWait: 0,
    budget: "20s",
    maxRequests: 40,
  });
}

type App = { Bindings: Env };
const parleyOf = (c: Context<App>) => parleyFor(c.env, c.executionCtx);

/** A Worker gets its secrets with each request, so they come from a function. */
const tokens = scopedTokens((c) => c.env.PARLEY_SECRET);

const app = new Hono<App>();

app.get("/", (c) => c.html(shopPage()));

app.post("/orders", async (c) => {
  const { item } = await c.req.parseBody();
  const parley = parleyOf(c);
  const { workflowId } = await parley.start(order, { item: String(item), origin: new URL(c.req.url).origin });
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

export default {
  fetch: app.fetch,
  /** Continues workflows after a passed deadline or the death of an invocation. */
  async scheduled(_event: unknown, env: Env, ctx: ExecutionContext): Promise<void> {
    await parleyFor(env, ctx).sweep({ limit: 4 });
  },
};
