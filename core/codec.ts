/**
 * How values become text and come back equal.
 *
 * @module
 */

import { parse, stringify } from "devalue";
import { reviveError, type SerializedError, serializeError } from "./serialized_error.ts";

/** Turns values into text and back. Every isolate that shares a store must use the same one. */
export interface Codec {
  /** A value as text. Throws if it cannot be encoded. */
  encode(value: unknown): string;
  /** The value of a text. */
  decode(text: string): unknown;
}

/**
 * The default codec: devalue's format. JSON values, `undefined`, `Date`, `Map`, `Set`, `BigInt`, `Uint8Array` and the other typed
 * arrays, `RegExp`, `URL`, `NaN`, `Infinity`, `-0`, repeated and cyclic references, and `Error` with its cause.
 */
export const devalueCodec: Codec = {
  encode: (value) => stringify(value, { Error: (it: unknown) => it instanceof Error && serializeError(it), Bytes: viewOfMore }),
  decode: (text) => parse(text, { Error: (data: SerializedError) => reviveError(data), Bytes: (bytes: Uint8Array) => bytes }),
};

/**
 * A copy of a byte array that shows only part of its buffer. devalue would store the whole buffer, and with it
 * whatever else lies there: Node's `Buffer`s share one.
 */
function viewOfMore(value: unknown): Uint8Array | false {
  return value instanceof Uint8Array && value.byteLength !== value.buffer.byteLength && new Uint8Array(value);
}
