/**
 * The idempotency keys of webhooks.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";

/** Which endpoint a delivery came to: by the name that it was given, else by the path that its route was registered with. */
export type WebhookEndpoint = { readonly name: string } | { readonly route: string };

const KEY = /^webhook:[0-9a-f]{64}$/;

/**
 * The key of a delivery. It is of what the owner has written and of what the provider has signed, and of nothing that a request can spell in another way.
 * Endpoints may have the same ID for different things; and the store would take one ID for two topics as a mistake. As a digest, since the parts may
 * be longer than a key.
 */
export async function webhookKey(endpoint: WebhookEndpoint, topic: string, id: string): Promise<string> {
  const place = new TextEncoder().encode(JSON.stringify([endpoint, topic, id]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", place));
  return `webhook:${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * Refuses a caller's own key that is one of a webhook: the message would take the place of a delivery that is still to come.
 *
 * @throws {ValidationError}
 */
export function refuseWebhookKey(key: string | undefined): void {
  if (key === undefined || !KEY.test(key)) return;
  throw new ValidationError(
    "Sending a message: keys of the form webhook: and 64 digits are those of webhooks; it must be another idempotency key",
  );
}
