/**
 * Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over ID, time and body.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { checkWith, freshness, fromBase64 } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier, VerifierOptions } from "../verifier.ts";

/** The prefixes of the headers: those of the standard, and of Svix, from which the scheme comes. */
const PREFIXES = ["webhook-", "svix-"];

/**
 * Options of {@linkcode standardWebhooks}.
 *
 * @category Webhooks
 */
export interface StandardWebhooksOptions extends VerifierOptions {
  /**
   * How to read a secret without the prefix `whsec_`, `v1,whsec_` or `polar_whs_`. With `"base64"`
   * the secret encodes the key, and with `"text"` it is the key. There is no default, because many
   * texts are also base64.
   */
  encoding?: "base64" | "text";
}

/**
 * Verifies deliveries of Standard Webhooks and of Svix: those of Clerk, OpenAI, Polar, Resend,
 * Supabase and others.
 *
 * @param secret The secret as the provider shows it: `whsec_...`, Supabase's `v1,whsec_...`,
 * Polar's `polar_whs_...`. For another form, set the option `encoding`. Several secrets are
 * possible during a rotation, and so is a function of the request's context that returns them.
 * @param options How old a signature may be, and how to read a secret of another form.
 * @throws {ValidationError} If a secret of another form comes without `encoding`, or a secret that
 * must be base64 is not.
 *
 * @example Receive the deliveries of a provider
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
 *     route: (event) => ({
 *       workflowId: event.data.orderId,
 *       topic: "payment",
 *       message: { paid: event.type === "payment.paid" },
 *     }),
 *   }),
 * );
 * const response = await app.request("/webhook", { method: "POST", body: "{}" });
 * console.log(response.status); // 401
 * ```
 *
 * @category Webhooks
 */
export function standardWebhooks(secret: Secret<string | string[]>, options: StandardWebhooksOptions = {}): Verifier {
  const { encoding } = options;
  if (encoding !== undefined && encoding !== "base64" && encoding !== "text") {
    throw new ValidationError('Making a verifier for Standard Webhooks: the encoding must be "base64" or "text"');
  }
  const check = checkWith(secret, (it) => toKey(it, encoding), "Standard Webhooks");
  const isFresh = freshness(options);
  return async ({ headers }, body, c) => {
    const prefix = PREFIXES.find((it) => headers.has(`${it}id`)) ?? "";
    const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) => headers.get(`${prefix}${name}`));
    if (!id || !timestamp || !signatures || !isFresh(timestamp)) return undefined;
    // Signatures of other versions use keys that are not shared.
    const given = signatures.split(" ").map((it) => it.startsWith("v1,") ? fromBase64(it.slice(3)) : undefined);
    return await check(c, { prefix: `${id}.${timestamp}.`, body }, given) ? { id } : undefined;
  };
}

/** The bytes of the key; `undefined` if the secret is not legal. */
function toKey(secret: string, encoding: StandardWebhooksOptions["encoding"]): Uint8Array<ArrayBuffer> | undefined {
  const [, base64] = /^(?:v1,)?whsec_(.*)$/s.exec(secret) ?? [];
  if (base64 !== undefined) return fromStrictBase64(base64);
  // Polar's own library uses the whole text as the key, with its prefix.
  if (encoding === "text" || secret.startsWith("polar_whs_")) {
    return /^\s|\s$/.test(secret) ? undefined : new TextEncoder().encode(secret);
  }
  if (encoding === "base64") return fromStrictBase64(secret);
  if (secret === "") return undefined;
  throw new ValidationError(
    "Making a verifier for Standard Webhooks: a secret must begin with whsec_, v1,whsec_ or polar_whs_; " +
      'of one that does not, the option encoding must say whether it is "base64" or "text"',
  );
}

/** Decodes base64 without white space, which `atob` would ignore. */
function fromStrictBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  return /\s/.test(text) ? undefined : fromBase64(text);
}
