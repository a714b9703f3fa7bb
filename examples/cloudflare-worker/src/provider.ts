/**
 * Stands in for a payment provider: signs its deliveries as Standard Webhooks says.
 *
 * @module
 */

/** A delivery of the provider's webhook. */
export async function deliver(url: URL, secret: string, event: unknown): Promise<Request> {
  const body = JSON.stringify(event);
  const [id, timestamp] = [crypto.randomUUID(), String(Math.floor(Date.now() / 1_000))];
  const bytes = Uint8Array.from(atob(secret.replace(/^whsec_/, "")), (char) => char.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(`${id}.${timestamp}.${body}`));
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${btoa(String.fromCharCode(...new Uint8Array(signature)))}`,
  };
  return new Request(url, { method: "POST", headers, body });
}
