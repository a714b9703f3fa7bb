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
  encode: (value) => stringify(value, { Error: (it: unknown) => it instanceof Error && serializeError(it), View: viewOfMore }),
  decode: (text) => parse(text, { Error: (data: SerializedError) => reviveError(data), View: (view: ArrayBufferView) => view }),
};

/** Types that only some runtimes have, and how an encoded one begins. Quotes within strings are escaped, so a string is not taken for one. */
const NOT_EVERYWHERE = new Map([["Temporal", '["Temporal.'], ["Float16Array", '["Float16Array"']]);

/** The type that a text needs and that this runtime lacks. */
export function missingType(text: string): string | undefined {
  return [...NOT_EVERYWHERE].find(([type, beginning]) => !(type in globalThis) && text.includes(beginning))?.[0];
}

/**
 * A copy of a typed array or `DataView` that shows only part of its buffer. devalue would store the whole buffer, and with it
 * whatever else lies there: Node's `Buffer`s share one.
 */
function viewOfMore(value: unknown): ArrayBufferView | false {
  if (!ArrayBuffer.isView(value) || value.byteLength === value.buffer.byteLength) return false;
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if (value instanceof Uint8Array) return bytes;
  return new (value.constructor as new (buffer: ArrayBuffer) => ArrayBufferView)(bytes.buffer);
}
