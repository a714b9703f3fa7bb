/**
 * Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over ID, time and body.
 *
 * @module
 */

import { checkWith, freshness, fromBase64 } from "./hmac.ts";
import type { Verifier, VerifierOptions } from "./verifier.ts";

/** What the headers begin with: in the standard, and at Svix, whose scheme it was. */
const PREFIXES = ["webhook-", "svix-"];

/**
 * Verifies deliveries as Standard Webhooks has them, and Svix: those of Clerk, OpenAI, Polar, Resend, Supabase and others.
 *
 * @param secret Base64, with or without `whsec_` before it; several while one is being replaced.
 * @param options How old a signature may be.
 * @throws {ValidationError} If a secret is not base64.
 *
 * @example Take the deliveries of a provider
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { standardWebhooks, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/webhook",
 *   webhook({
 *     parley,
 *     verify: standardWebhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
 *     route: (event) => ({ workflowId: event.data.orderId, topic: "payment", message: { paid: event.type === "payment.paid" } }),
 *   }),
 * );
 * const response = await app.request("/webhook", { method: "POST", body: "{}" });
 * console.log(response.status); // 401
 * ```
 */
export function standardWebhooks(secret: string | string[], options: VerifierOptions = {}): Verifier {
  const check = checkWith(secret, (it) => fromBase64(it.replace(/^whsec_/, "")), "Standard Webhooks");
  const isFresh = freshness(options);
  return async ({ headers }, body) => {
    const prefix = PREFIXES.find((it) => headers.has(`${it}id`)) ?? "";
    const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) => headers.get(`${prefix}${name}`));
    if (!id || !timestamp || !signatures || !isFresh(timestamp)) return undefined;
    // Others than v1 are made with keys that are not shared.
    const given = signatures.split(" ").map((it) => it.startsWith("v1,") ? fromBase64(it.slice(3)) : undefined);
    return await check({ prefix: `${id}.${timestamp}.`, body }, given) ? { id } : undefined;
  };
}
