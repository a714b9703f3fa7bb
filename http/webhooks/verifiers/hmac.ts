/**
 * HMAC-SHA256 signatures, for all verifiers.
 *
 * @module
 */

import { wallClock } from "../../../core/time/clock.ts";
import { toMilliseconds } from "../../../core/values/checks.ts";
import { ValidationError } from "../../../core/errors.ts";
import type { Context } from "hono";
import { type Secret, secretFor } from "../../auth/secret.ts";
import type { VerifierOptions } from "../verifier.ts";

/** Seconds since 1970, as in headers. */
const SECONDS = /^\d{1,12}$/;

/** Returns whether one of the signatures belongs to one of the secrets. */
export type SignatureCheck = (
  c: Context,
  signed: { prefix: string; body: Uint8Array },
  signatures: readonly (Uint8Array | undefined)[],
) => Promise<boolean>;

/**
 * Creates a check.
 *
 * @param secrets The secret, several during a rotation, or a function that returns them for a request.
 * @param toKey Returns the bytes of the key; `undefined` if the secret is not legal.
 * @param provider The provider, for the error.
 * @throws {ValidationError} If there is no secret, or one is not legal.
 */
export function checkWith(
  secrets: Secret<string | string[]>,
  toKey: (secret: string) => Uint8Array<ArrayBuffer> | undefined,
  provider: string,
): SignatureCheck {
  const keysFor = secretFor(secrets, (list) => keysOf(list, toKey, provider));
  return async (c, { prefix, body }, signatures) => {
    const keys = await keysFor(c);
    const data = join(new TextEncoder().encode(prefix), body);
    // One HMAC per secret, however many signatures a stranger sends.
    const expected = await Promise.all(keys.map((key) => hmac(key, data)));
    // Every pair is compared, so that the time does not show which one matched.
    return expected.flatMap((it) => signatures.map((signature) => signature !== undefined && isSame(it, signature)))
      .includes(true);
  };
}

function keysOf(
  secrets: string | string[],
  toKey: (secret: string) => Uint8Array<ArrayBuffer> | undefined,
  provider: string,
): Uint8Array<ArrayBuffer>[] {
  const keys = [secrets].flat().map((secret) => {
    const key = typeof secret === "string" ? toKey(secret) : undefined;
    if (!key || key.length === 0) {
      throw new ValidationError(`Making a verifier for ${provider}: each secret must be one of the provider's`);
    }
    return key;
  });
  if (keys.length === 0) throw new ValidationError(`Making a verifier for ${provider}: there must be a secret`);
  return keys;
}

/** The bytes of a secret that is a text. White space comes from copying, so it is not legal. */
export function toTextKey(secret: string): Uint8Array<ArrayBuffer> | undefined {
  return /\s/.test(secret) ? undefined : new TextEncoder().encode(secret);
}

/** Creates a check of the time of a signature, in epoch milliseconds. */
export function freshnessOf({ tolerance = "5m", clock = wallClock }: VerifierOptions): (ms: number) => boolean {
  const toleranceMs = toMilliseconds(tolerance, "tolerance");
  return (ms) => Math.abs(clock.now() - ms) <= toleranceMs;
}

/** Creates a check of the time of a signature. It takes the text of a header. */
export function freshness(options: VerifierOptions): (seconds: string) => boolean {
  const isFresh = freshnessOf(options);
  return (seconds) => SECONDS.test(seconds) && isFresh(Number(seconds) * 1_000);
}

/** Decodes base64, because not every runtime has `Uint8Array.fromBase64`. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Decodes hexadecimal digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})+$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
}

async function hmac(key: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}

/** Compares in a time that does not depend on the difference. A wrong length is no secret. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (const [at, byte] of a.entries()) difference |= byte ^ b[at]!;
  return difference === 0;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
