/**
 * The idempotency keys of webhooks.
 *
 * @module
 */

import { hexDigest } from "../../core/values/hex_digest.ts";

/** Which endpoint a delivery came to: by the name that it was given, else by the path that its route was registered with. */
export type WebhookEndpoint = { readonly name: string } | { readonly route: string };

/** The keys of webhooks. No other message may have one, because it would take the place of a delivery that is still to come. */
export const WEBHOOK_KEY = /^webhook:[0-9a-f]{64}$/;

/**
 * The key of a delivery. It is of what the owner has written and of what the provider has signed, and of nothing that a request can spell in another way.
 * Endpoints may have the same ID for different things; and the store would take one ID for two topics as a mistake. As a digest, since the parts may
 * be longer than a key.
 */
export async function webhookKey(endpoint: WebhookEndpoint, topic: string, id: string): Promise<string> {
  return `webhook:${await hexDigest(JSON.stringify([endpoint, topic, id]))}`;
}
