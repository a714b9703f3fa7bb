/**
 * Square (https://developer.squareup.com/docs/webhooks/step3validate): HMAC-SHA256 over the URL of
 * the endpoint and the body.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { eventId } from "./event_id.ts";
import { checkWith, fromBase64, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier } from "../verifier.ts";

/**
 * Options of {@linkcode square}.
 *
 * @category Webhooks
 */
export interface SquareOptions {
  /**
   * The notification URL, letter for letter as in the webhook subscription. Square signs it. The
   * URL of a request can be another one, behind a proxy.
   */
  url: string;
}

/**
 * Verifies deliveries of Square. The delivery's ID is the event's `event_id`, which is the same in
 * each retry. Square signs no time, so a delivery never becomes too old.
 *
 * @param secret The signature key of the webhook subscription, several during a rotation, or a function of the
 * request's context that returns them.
 * @param options The notification URL.
 * @throws {ValidationError} If a secret is empty or contains white space, or there is no URL.
 *
 * @example Forward completed payments to their workflows
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { square, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/square",
 *   webhook({
 *     parley,
 *     verify: square("the-signature-key", { url: "https://shop.example/square" }),
 *     route: ({ type, data }) =>
 *       type === "payment.updated" && data.object.payment.status === "COMPLETED"
 *         ? { workflowId: data.object.payment.reference_id, topic: "payment", message: { paid: true } }
 *         : undefined,
 *   }),
 * );
 * console.log((await app.request("/square", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function square(secret: Secret<string | string[]>, options: SquareOptions): Verifier {
  const url = options?.url;
  if (typeof url !== "string" || !/^https?:\/\//.test(url)) {
    throw new ValidationError("Making a verifier for Square: there must be the url of the webhook subscription");
  }
  const check = checkWith(secret, toTextKey, "Square");
  return async ({ headers }, body, c) => {
    const signature = fromBase64(headers.get("x-square-hmacsha256-signature") ?? "");
    return await check(c, { prefix: url, body }, [signature]) ? { id: eventId(body, "event_id", "Square") } : undefined;
  };
}
