/**
 * Signed webhooks as in Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over ID, timestamp and raw body.
 *
 * @module
 */

/** A signature that is older than this, or newer, may be a replay. */
const TOLERANCE_S = 5 * 60;

/** Who signed: what tells one delivery from another, and when it was signed. */
export interface Delivery {
  id: string;
  /** Epoch seconds. */
  timestamp: number;
}

/** The three headers of a delivery. `secret`: base64, with or without the prefix `whsec_`. */
export async function sign(secret: string, { id, timestamp }: Delivery, body: string): Promise<Record<string, string>> {
  const signature = await crypto.subtle.sign(
    "HMAC",
    await importKey(secret),
    signed(id, String(timestamp), new TextEncoder().encode(body)),
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${new Uint8Array(signature).toBase64()}`,
  };
}

/**
 * Checks a delivery.
 *
 * @param body The bytes as they came. A body that was parsed and printed again has another signature.
 * @returns The delivery, or `undefined` if it is not the provider's or not of now.
 */
export async function verify(secret: string, headers: Headers, body: Uint8Array): Promise<Delivery | undefined> {
  const id = headers.get("webhook-id");
  const timestamp = headers.get("webhook-timestamp");
  const signatures = headers.get("webhook-signature");
  if (!id || !signatures || !timestamp || !/^\d{1,12}$/.test(timestamp)) return undefined;
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > TOLERANCE_S) return undefined;

  const key = await importKey(secret);
  const data = signed(id, timestamp, body);
  // There are several while the provider rotates its secret. `verify` compares in constant time, which `===` would not.
  for (const signature of signatures.split(" ")) {
    const bytes = signature.startsWith("v1,") ? fromBase64(signature.slice(3)) : undefined;
    if (bytes && await crypto.subtle.verify("HMAC", key, bytes, data)) return { id, timestamp: Number(timestamp) };
  }
  return undefined;
}

function signed(id: string, timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const data = new Uint8Array(head.length + body.length);
  data.set(head);
  data.set(body, head.length);
  return data;
}

async function importKey(secret: string): Promise<CryptoKey> {
  const bytes = Uint8Array.fromBase64(secret.replace(/^whsec_/, ""));
  return await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
