/**
 * Paddle (https://developer.paddle.com/webhooks/signature-verification): HMAC-SHA256 over time and
 * body.
 *
 * @module
 */

import { eventId } from "./event_id.ts";
import { checkWith, freshness, fromHex, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier, VerifierOptions } from "../verifier.ts";

/**
 * Verifies deliveries of Paddle Billing. The delivery's ID is the event's `event_id`, which is the
 * same in each retry.
 *
 * @param secret The secret key of the notification destination, several during a rotation, or a function of the
 * request's context that returns them.
 * @param options How old a signature may be.
 * @throws {ValidationError} If a secret is empty, or contains white space.
 *
 * @example Forward completed transactions to their workflows
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { paddle, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/paddle",
 *   webhook({
 *     parley,
 *     verify: paddle("pdl_ntfset_the_secret_key"),
 *     route: ({ event_type, data }) =>
 *       event_type === "transaction.completed"
 *         ? { workflowId: data.custom_data.orderId, topic: "payment", message: { paid: true } }
 *         : undefined,
 *   }),
 * );
 * console.log((await app.request("/paddle", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function paddle(secret: Secret<string | string[]>, options: VerifierOptions = {}): Verifier {
  const check = checkWith(secret, toTextKey, "Paddle");
  const isFresh = freshness(options);
  return async ({ headers }, body, c) => {
    const items = (headers.get("paddle-signature") ?? "").split(";").map((it) => it.split("=", 2));
    const timestamp = items.findLast(([name]) => name?.trim() === "ts")?.[1] ?? "";
    if (!isFresh(timestamp)) return undefined;
    // There are several during a rotation of the secret.
    const given = items.map(([name, value]) => name?.trim() === "h1" ? fromHex(value ?? "") : undefined);
    return await check(c, { prefix: `${timestamp}:`, body }, given)
      ? { id: eventId(body, "event_id", "Paddle") }
      : undefined;
  };
}
