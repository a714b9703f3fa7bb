/**
 * Digests as text.
 *
 * @module
 */

/** Returns the digest of a text in hexadecimal digits: a short key for a text of any length. */
export async function hexDigest(text: string, algorithm: "SHA-256" | "SHA-1" = "SHA-256"): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
