/**
 * JSON Web Tokens (RFC 7519), signed with HS256 only. This file does not use Hono's tokens. Some
 * versions of Hono use the text `[object CryptoKey]` in place of a `CryptoKey`, so anybody could
 * sign.
 *
 * @module
 */

const HEADER = toBase64Url(new TextEncoder().encode('{"alg":"HS256","typ":"JWT"}'));
const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** Signs claims. */
export async function signToken(claims: Record<string, unknown>, secret: string): Promise<string> {
  const signed = `${HEADER}.${toBase64Url(new TextEncoder().encode(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign("HMAC", await keyOf(secret), new TextEncoder().encode(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

/**
 * Reads a token.
 *
 * @returns Its claims, of any kind, if the signature is good; otherwise `undefined`. The caller
 * must check whether the claims hold now.
 */
export async function readToken(token: string, secret: string): Promise<unknown> {
  const [header, claims, signature, ...rest] = token.split(".");
  // The header allows no choice: it must equal the one that this file writes.
  if (header !== HEADER || claims === undefined || signature === undefined || rest.length > 0) return undefined;
  const bytes = fromBase64Url(signature);
  if (!bytes) return undefined;
  const isGood = await crypto.subtle.verify(
    "HMAC",
    await keyOf(secret),
    bytes,
    new TextEncoder().encode(`${header}.${claims}`),
  );
  const text = fromBase64Url(claims);
  return isGood && text ? JSON.parse(new TextDecoder().decode(text)) : undefined;
}

async function keyOf(secret: string): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), ALGORITHM, false, ["sign", "verify"]);
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll(
      "=",
      "",
    );
}

/**
 * Decodes base64url. The text must be exactly what this file writes, because the last digit has
 * spare bits.
 */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = Uint8Array.from(
      atob(text.replaceAll("-", "+").replaceAll("_", "/")),
      (character) => character.charCodeAt(0),
    );
    return toBase64Url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
