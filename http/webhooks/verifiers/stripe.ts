/**
 * Stripe (https://docs.stripe.com/webhooks#verify-manually): HMAC-SHA256 over time and body.
 *
 * @module
 */

import { eventId } from "./event_id.ts";
import { checkWith, freshness, fromHex, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier, VerifierOptions } from "../verifier.ts";

/**
 * Verifies deliveries of Stripe. The delivery's ID is that of the event, such as `evt_...`.
 *
 * @param secret The endpoint's signing secret, `whsec_...`, several during a rotation, or a function
 * of the request's context that returns them.
 * @param options How old a signature may be.
 * @throws {ValidationError} If a secret is empty, or contains white space.
 *
 * @example Forward Stripe's events to a workflow
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { stripe, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/stripe",
 *   webhook({
 *     parley,
 *     verify: stripe("whsec_from_the_dashboard"),
 *     route: ({ type, data }) =>
 *       type === "checkout.session.completed"
 *         ? { workflowId: data.object.client_reference_id, topic: "payment", message: { paid: true } }
 *         : undefined,
 *   }),
 * );
 * console.log((await app.request("/stripe", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function stripe(secret: Secret<string | string[]>, options: VerifierOptions = {}): Verifier {
  const check = checkWith(secret, toTextKey, "Stripe");
  const isFresh = freshness(options);
  return async ({ headers }, body, c) => {
    const items = (headers.get("stripe-signature") ?? "").split(",").map((it) => it.split("=", 2));
    const timestamp = items.findLast(([name]) => name?.trim() === "t")?.[1] ?? "";
    if (!isFresh(timestamp)) return undefined;
    // v0 is only for tests.
    const given = items.map(([name, value]) => name?.trim() === "v1" ? fromHex(value ?? "") : undefined);
    return await check(c, { prefix: `${timestamp}.`, body }, given) ? { id: eventId(body, "id", "Stripe") } : undefined;
  };
}
