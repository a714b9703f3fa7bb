/**
 * Shopify (https://shopify.dev/docs/apps/build/webhooks): HMAC-SHA256 over the body.
 *
 * @module
 */

import { checkWith, fromBase64, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier } from "../verifier.ts";

/** The prefixes of the headers: those of webhooks, and of the newer events. */
const PREFIXES = ["x-shopify-", "shopify-"];

/**
 * Verifies deliveries of Shopify. The delivery's ID is in the header `X-Shopify-Webhook-Id`, and a
 * retry has the same one. The header `X-Shopify-Topic` says what happened.
 *
 * Shopify signs only the body, and neither the ID, the topic nor the time. So anybody who has seen
 * a delivery can send it again under another ID. If that would do harm, let the message be one
 * that may come twice.
 *
 * @param secret The app's client secret, several during a rotation, or a function of the
 * request's context that returns them.
 * @throws {ValidationError} If a secret is empty, or contains white space.
 *
 * @example Forward paid orders to their workflows
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { shopify, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/shopify",
 *   webhook({
 *     parley,
 *     verify: shopify("shpss_the_client_secret"),
 *     route: (order, { headers }) =>
 *       headers.get("x-shopify-topic") === "orders/paid"
 *         ? { workflowId: `order-${order.id}`, topic: "paid", message: { total: order.total_price } }
 *         : undefined,
 *   }),
 * );
 * console.log((await app.request("/shopify", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function shopify(secret: Secret<string | string[]>): Verifier {
  const check = checkWith(secret, toTextKey, "Shopify");
  return async ({ headers }, body, c) => {
    const prefix = PREFIXES.find((it) => headers.has(`${it}hmac-sha256`)) ?? "";
    const id = headers.get(`${prefix}webhook-id`);
    const signature = headers.get(`${prefix}hmac-sha256`);
    return id && signature && await check(c, { prefix: "", body }, [fromBase64(signature)]) ? { id } : undefined;
  };
}
