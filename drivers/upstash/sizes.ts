/**
 * How much a request to Upstash may carry.
 *
 * @module
 */

import type { DriverLimits } from "../../core/driver/driver.ts";

/** Upstash takes 10 MB a request. The rest is for keys, and for the document that says which is which. */
const MAX_VALUES_BYTES = 8_000_000;

/** A request is JSON in UTF-8, with each value as a text in it. */
export const LIMITS: DriverLimits = { requestBytes: MAX_VALUES_BYTES, bytesOf: wireBytes };

/** The characters that JSON escapes with one more. All other control characters take six. */
const SHORT_ESCAPES = new Set(['"', "\\", "\b", "\t", "\n", "\f", "\r"].map((it) => it.charCodeAt(0)));

/** As many as `JSON.stringify` and UTF-8 make of a text, without the quotes around it. */
export function wireBytes(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (SHORT_ESCAPES.has(unit)) bytes += 2;
    else if (unit < 0x20) bytes += 6;
    else if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else if (isPair(text, index)) {
      bytes += 4;
      index += 1;
    } else bytes += 6;
  }
  return bytes;
}

function isPair(text: string, index: number): boolean {
  return text.charCodeAt(index) < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
}
