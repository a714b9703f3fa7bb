/**
 * How values become text and come back equal.
 *
 * @module
 */

import { defaultStringifyOperations, DevalueError, stringify, unflatten } from "devalue";
import { isError, reviveError, type SerializedError, serializeError } from "./serialized_error.ts";

/**
 * Turns values into text and back. Every isolate that shares a store must use the same one.
 *
 * @category Values
 */
export interface Codec {
  /** A value as text. It throws if the value cannot be encoded, and must throw if `decode` could not bring it back. */
  encode(value: unknown): string;
  /** The value of a text. */
  decode(text: string): unknown;
}

/**
 * How deep a stored value may be nested: an array in an array is two deep. Decoding recurses, and overflows the stack at 2,200 levels in Node 20,
 * 2,200 in Deno 2.9, 2,300 in workerd and 20,000 in Bun 1.4. A quarter of that leaves room for the stack that is in use, and for what reads the value.
 */
export const MAX_DEPTH = 500;

/** An entry of the encoded form takes at least this many characters, as `[1],` does. So a text that is too short to be nested too deep is not looked at. */
const SHORTEST_ENTRY = 4;

/** Types that only some runtimes have, and how an encoded one begins. Quotes within strings are escaped, so a string is not taken for one. */
const NOT_EVERYWHERE = new Map([["Temporal", '["Temporal.'], ["Float16Array", '["Float16Array"']]);

/** What an array with many holes begins with. */
export const SPARSE = -7;

/** The beginning of an entry that is not JSON, such as a date: decoding it calls a constructor, which may refuse it. */
const NOT_JSON = /\["[A-Z]/;

const revivers = () => {
  // By its data, since an error that can be reached from itself is revived twice: once incomplete.
  const revived = new WeakMap<SerializedError, Error>();
  const Error = (data: SerializedError) => {
    const error = reviveError(data, revived.get(data));
    revived.set(data, error);
    return error;
  };
  return { Error, View: (view: ArrayBufferView) => view };
};

/** `false` means that devalue takes the value as it is. */
const reducers = { Error: (it: unknown) => isError(it) && serializeError(it), View: viewOfMore };

/** Objects of types that are not everywhere are taken for instances of unknown classes, which devalue refuses with their path. */
const operations = {
  tagOf: (value: unknown) => {
    const tag = defaultStringifyOperations.tagOf(value);
    return tag === "Float16Array" || tag.startsWith("Temporal.") ? "Object" : tag;
  },
};

/**
 * The default codec: devalue's format. JSON values, `undefined`, `Date`, `Map`, `Set`, `BigInt`, `Uint8Array` and the other typed
 * arrays, `RegExp`, `URL`, `NaN`, `Infinity`, `-0`, repeated and cyclic references, and `Error` with its cause. It refuses types that are not in every
 * runtime (Temporal, `Float16Array`), a value that is nested more than 500 deep, and whatever would not decode again.
 *
 * @category Values
 */
export const devalueCodec: Codec = {
  encode(value) {
    const text = toText(value);
    if (text.length > SHORTEST_ENTRY * MAX_DEPTH && depthOf(text) > MAX_DEPTH) throw tooDeep();
    if (NOT_JSON.test(text)) prove(text);
    return text;
  },
  decode: (text) => decodeParts(JSON.parse(text)),
};

/** For bodies between `connect` and the HTTP adapter, which wrap values: what the store took can always be sent. What comes in is checked when it is stored. */
export const wireCodec: Codec = {
  encode: (value) => stringify(value, reducers),
  decode: devalueCodec.decode,
};

/** The value of what {@linkcode devalueCodec} wrote, parsed as JSON. It throws if there is none. */
export function decodeParts(parts: unknown): unknown {
  return unflatten(parts as number | unknown[], revivers());
}

/** Whether every runtime has the types that a text needs. */
export function isPortable(text: string): boolean {
  return ![...NOT_EVERYWHERE.values()].some((beginning) => text.includes(beginning));
}

/** The type that a text needs and that this runtime lacks. */
export function missingType(text: string): string | undefined {
  return [...NOT_EVERYWHERE].find(([type, beginning]) => !(type in globalThis) && text.includes(beginning))?.[0];
}

function toText(value: unknown): string {
  try {
    return stringify(value, reducers, { operations });
  } catch (error) {
    throw error instanceof RangeError && error.message.includes("call stack") ? tooDeep() : error;
  }
}

function tooDeep(): DevalueError {
  return new DevalueError(`It is nested too deep, and may be nested at most ${MAX_DEPTH} deep`, []);
}

/** Decodes a text only to see that it can be: an object may pretend to be a `URL` by its tag, and be none. */
function prove(text: string): void {
  try {
    devalueCodec.decode(text);
  } catch {
    throw new DevalueError("It could not be decoded again", []);
  }
}

/**
 * How deep decoding recurses. The text is a list of entries that name others by their index; they are numbered as they are first met, so the entry
 * above another one is the last before it that names it.
 */
function depthOf(text: string): number {
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries)) return 1;
  const depths = new Uint32Array(entries.length).fill(1);
  let deepest = 0;
  for (let index = 0; index < entries.length; index++) {
    const entry: unknown = entries[index];
    if (typeof entry !== "object" || entry === null) continue;
    const depth = depths[index]!;
    deepest = Math.max(deepest, depth);
    for (const child of childrenOf(entry)) {
      if (typeof child === "number" && child > index) depths[child] = depth + 1;
    }
  }
  return deepest;
}

/** What an entry names. An array with many holes is a list of positions and values behind its length. */
export function childrenOf(entry: object): unknown[] {
  const values: unknown[] = Array.isArray(entry) ? entry : Object.values(entry);
  return values[0] === SPARSE ? values.filter((_, index) => index > 2 && index % 2 === 1) : values;
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
