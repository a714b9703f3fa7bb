/**
 * Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over ID, time and body.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { checkWith, freshness, fromBase64 } from "./hmac.ts";
import type { Verifier, VerifierOptions } from "./verifier.ts";

/** What the headers begin with: in the standard, and at Svix, whose scheme it was. */
const PREFIXES = ["webhook-", "svix-"];

/**
 * Options of {@linkcode standardWebhooks}.
 *
 * @category Webhooks
 */
export interface StandardWebhooksOptions extends VerifierOptions {
  /**
   * What a secret is that does not say so itself by `whsec_`, `v1,whsec_` or `polar_whs_`: `"base64"` of the key, or the key as a `"text"`. There is no default, since
   * many a text is base64, too.
   */
  encoding?: "base64" | "text";
}

/**
 * Verifies deliveries as Standard Webhooks has them, and Svix: those of Clerk, OpenAI, Polar, Resend, Supabase and others.
 *
 * @param secret As the provider shows it: `whsec_...`, Supabase's `v1,whsec_...`, Polar's `polar_whs_...`; of another form with the option `encoding`. Several while one is
 * being replaced.
 * @param options How old a signature may be, and what a secret of another form is.
 * @throws {ValidationError} If a secret is of another form and there is no `encoding`, or it is not base64 where it has to be.
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
 *
 * @category Webhooks
 */
export function standardWebhooks(secret: string | string[], options: StandardWebhooksOptions = {}): Verifier {
  const { encoding } = options;
  if (encoding !== undefined && encoding !== "base64" && encoding !== "text") {
    throw new ValidationError('Making a verifier for Standard Webhooks: the encoding must be "base64" or "text"');
  }
  const check = checkWith(secret, (it) => toKey(it, encoding), "Standard Webhooks");
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

/** The bytes that a secret signs with; `undefined` if it is not legal. */
function toKey(secret: string, encoding: StandardWebhooksOptions["encoding"]): Uint8Array<ArrayBuffer> | undefined {
  const [, base64] = /^(?:v1,)?whsec_(.*)$/s.exec(secret) ?? [];
  if (base64 !== undefined) return fromStrictBase64(base64);
  // Polar's own library signs with the text, its beginning included.
  if (encoding === "text" || secret.startsWith("polar_whs_")) {
    return /^\s|\s$/.test(secret) ? undefined : new TextEncoder().encode(secret);
  }
  if (encoding === "base64") return fromStrictBase64(secret);
  if (secret === "") return undefined;
  throw new ValidationError(
    'Making a verifier for Standard Webhooks: a secret must begin with whsec_, v1,whsec_ or polar_whs_; of one that does not, the option encoding must say whether it is "base64" or "text"',
  );
}

/** As `atob` takes it, without the white space that it passes over. */
function fromStrictBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  return /\s/.test(text) ? undefined : fromBase64(text);
}
