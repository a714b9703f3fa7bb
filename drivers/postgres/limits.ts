/**
 * How much a request may carry, and how its size is counted.
 *
 * @module
 */

import type { DriverLimits } from "../../core/driver/driver.ts";
import { MAX_REQUEST_BYTES } from "./sql/sizes.ts";

/**
 * In Postgres' own protocol a request is a text of JSON. Postgres accepts 256 MB. No workflow needs
 * more than this part of that.
 */
export const POSTGRES_LIMITS: DriverLimits = {
  requestBytes: 64 * 1_048_576,
  bytesOf: (text) => escapedBytes(text, ONCE),
};

/** Over Neon's HTTP, the text of JSON is inside of JSON again. */
export const NEON_LIMITS: DriverLimits = {
  requestBytes: MAX_REQUEST_BYTES,
  bytesOf: (text) => escapedBytes(text, TWICE),
};

/** How many bytes JSON needs for a character that it escapes. */
interface Escapes {
  /** A quote or a backslash. */
  readonly quote: number;
  /** A control character that has a letter, as in `\n`. */
  readonly letter: number;
  /** Any other control character, as in `\u0001`, and half of a surrogate pair. */
  readonly code: number;
}

const ONCE: Escapes = { quote: 2, letter: 2, code: 6 };
const TWICE: Escapes = { quote: 4, letter: 3, code: 7 };

const LETTERS = "\b\t\n\f\r";

function escapedBytes(text: string, escapes: Escapes): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.codePointAt(index) ?? 0;
    if (code > 0xffff) index++;
    bytes += bytesOfCharacter(code, escapes);
  }
  return bytes;
}

function bytesOfCharacter(code: number, { quote, letter, code: other }: Escapes): number {
  if (code === 0x22 || code === 0x5c) return quote;
  if (code < 0x20) return LETTERS.includes(String.fromCharCode(code)) ? letter : other;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  if (code > 0xffff) return 4;
  return code >= 0xd800 && code <= 0xdfff ? other : 3;
}
