/**
 * Linear (https://linear.app/developers/webhooks): HMAC-SHA256 over the body, which contains the
 * time.
 *
 * @module
 */

import { memberOf } from "./event_id.ts";
import { checkWith, freshnessOf, fromHex, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier, VerifierOptions } from "../verifier.ts";

/**
 * Verifies deliveries of Linear. The delivery's ID is in the header `Linear-Delivery`. The time is
 * the body's `webhookTimestamp`.
 *
 * Linear does not sign the ID. So anybody who has seen a delivery can send it again under another
 * ID, as long as its time is within the tolerance.
 *
 * @param secret The webhook's signing secret, several during a rotation, or a function of the
 * request's context that returns them.
 * @param options How old a delivery may be.
 * @throws {ValidationError} If a secret is empty, or contains white space.
 *
 * @example Forward changes of issues to their workflows
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { linear, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/linear",
 *   webhook({
 *     parley,
 *     verify: linear("lin_wh_the_signing_secret"),
 *     route: ({ type, action, data }) =>
 *       type === "Issue" ? { workflowId: `issue-${data.id}`, topic: "changed", message: { action } } : undefined,
 *   }),
 * );
 * console.log((await app.request("/linear", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function linear(secret: Secret<string | string[]>, options: VerifierOptions = {}): Verifier {
  const check = checkWith(secret, toTextKey, "Linear");
  const isFresh = freshnessOf(options);
  return async ({ headers }, body, c) => {
    const id = headers.get("linear-delivery");
    const signature = fromHex(headers.get("linear-signature") ?? "");
    if (!id || !await check(c, { prefix: "", body }, [signature])) return undefined;
    const timestamp = memberOf(body, "webhookTimestamp");
    return typeof timestamp === "number" && isFresh(timestamp) ? { id } : undefined;
  };
}
