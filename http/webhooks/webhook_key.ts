/**
 * The idempotency keys of webhooks.
 *
 * @module
 */

import { hexDigest } from "../../core/values/hex_digest.ts";

/** The endpoint of a delivery: its name, or the path with which its route was registered. */
export type WebhookEndpoint = { readonly name: string } | { readonly route: string };

/**
 * The key of a delivery. It depends on what the owner wrote and the provider signed, and on nothing
 * that a request can spell differently.
 *
 * The endpoint is part of it, because two endpoints may have the same ID for different deliveries.
 * The topic is part of it, because the store refuses one key for two topics. The place in the list of
 * messages is part of it, because a workflow may get several of one delivery. It is a digest,
 * because the parts may be longer than a key.
 */
export async function webhookKey(
  endpoint: WebhookEndpoint,
  { topic, id, index }: { topic: string; id: string; index: number },
): Promise<string> {
  // The first message has the key of an only one. So a route that becomes one with a list does not
  // send a message again that a retry brings.
  const place = index === 0 ? [] : [index];
  return `webhook:${await hexDigest(JSON.stringify([endpoint, topic, id, ...place]))}`;
}
