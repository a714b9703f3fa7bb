/**
 * Encodes values as text, and decodes the text to equal values.
 *
 * @module
 */

import { defaultStringifyOperations, DevalueError, stringify, unflatten } from "devalue";
import { isError, reviveError, type SerializedError, serializeError } from "./serialized_error.ts";

/**
 * Encodes values as text, and decodes that text. All isolates on one store must use the same codec.
 *
 * @category Values
 */
export interface Codec {
  /**
   * Encodes a value. It throws if it cannot encode the value, or if `decode` could not restore it.
   */
  encode(value: unknown): string;
  /** Decodes a text. It throws if the text cannot be decoded. */
  decode(text: string): unknown;
}

/**
 * The largest depth of a stored value. An array in an array has depth 2.
 *
 * Decoding recurses. It overflows the stack at 2,200 levels in Node 20 and Deno 2.9, at 2,300 in
 * workerd, and at 20,000 in Bun 1.4. About a quarter of the lowest number leaves room for the stack
 * in use, and for code that reads the value.
 */
export const MAX_DEPTH = 500;

/**
 * The length of the shortest encoded entry, such as `[1],`. Each level of a value takes at least
 * one entry.
 */
const SHORTEST_ENTRY = 4;

/**
 * Types that only some runtimes have, with the beginning of their encoded form. Quotes in strings
 * are escaped, so no string contains such a beginning.
 */
const NOT_EVERYWHERE = new Map([["Temporal", '["Temporal.'], ["Float16Array", '["Float16Array"']]);

/** The first item in the encoded form of an array with many holes. */
export const SPARSE = -7;

/** The beginning of an entry such as a date, whose decoding calls a constructor that may throw. */
const NOT_JSON = /\["[A-Z]/;

const revivers = () => {
  // An error that contains itself is revived twice, and its data is incomplete the first time.
  const revived = new WeakMap<SerializedError, Error>();
  const Error = (data: SerializedError) => {
    const error = reviveError(data, revived.get(data));
    revived.set(data, error);
    return error;
  };
  return { Error, View: (view: ArrayBufferView) => view };
};

/** The types that Parley encodes itself. `false` leaves a value to devalue. */
const reducers = { Error: (it: unknown) => isError(it) && serializeError(it), View: compactView };

/**
 * Makes devalue treat types that some runtimes lack as unknown classes. So devalue refuses their
 * values, with an error that has the path.
 */
const operations = {
  tagOf: (value: unknown) => {
    const tag = defaultStringifyOperations.tagOf(value);
    return tag === "Float16Array" || tag.startsWith("Temporal.") ? "Object" : tag;
  },
};

/**
 * The default codec, which uses devalue's format.
 *
 * It encodes JSON values, `undefined`, `NaN`, `Infinity`, `-0`, `BigInt`, `Date`, `Map`, `Set`,
 * `RegExp`, `URL` and typed arrays such as `Uint8Array`. It also encodes repeated and cyclic
 * references, and `Error` with its cause.
 *
 * It refuses types that some runtimes lack (Temporal, `Float16Array`), values nested more than 500
 * deep, and values that it could not decode again.
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
  decode,
};

/**
 * The codec for HTTP bodies between `connect` and the HTTP adapter. A body wraps stored values, so
 * it may be nested deeper than a stored value. This codec therefore encodes without the checks of
 * {@linkcode devalueCodec}, and every stored value can be sent. Values that arrive are checked when
 * they are stored.
 */
export const wireCodec: Codec = {
  encode: (value) => stringify(value, reducers),
  decode,
};

/** A function of its own, because bundlers keep a constant that reads a member of another one. */
function decode(text: string): unknown {
  return decodeParts(JSON.parse(text));
}

/**
 * Decodes a text of {@linkcode devalueCodec} that is already parsed as JSON. It throws if the text
 * cannot be decoded.
 */
export function decodeParts(parts: unknown): unknown {
  return unflatten(parts as number | unknown[], revivers());
}

/** Returns whether every runtime has the types that a text needs. */
export function isPortable(text: string): boolean {
  return ![...NOT_EVERYWHERE.values()].some((beginning) => text.includes(beginning));
}

/** Returns a type that a text needs and this runtime lacks, if there is one. */
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

/**
 * Checks that a text can be decoded. Decoding fails, for example, for an object that has the tag of
 * a `URL` but is not a `URL`.
 */
function prove(text: string): void {
  try {
    devalueCodec.decode(text);
  } catch {
    throw new DevalueError("It could not be decoded again", []);
  }
}

/**
 * Returns how deep decoding recurses.
 *
 * The text is a list of entries, which refer to others by index. The encoder gives a child its
 * index when it first meets the child, inside the child's parent. Other entries that refer to the
 * child may also have lower indexes than the child. The encoder was still inside each of these
 * entries, so they are ancestors of the parent, and come before the parent. Of all entries before
 * the child that refer to it, the last one is therefore the parent.
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

/** Tags of entries whose other items are references, or keys between references. */
const COMPOUNDS = new Set(["Set", "Map", "Object", "null", "Error", "View"]);

/**
 * Returns those references of an entry that decoding follows, and any keys between them. It returns
 * no other reference. The entry of an array with many holes is different. It has a tag, the array's
 * length, and then positions and values in turn.
 */
export function childrenOf(entry: object): unknown[] {
  if (!Array.isArray(entry)) return Object.values(entry);
  const [tag, first]: unknown[] = entry;
  if (tag === SPARSE) return entry.filter((_, index) => index > 2 && index % 2 === 1);
  if (typeof tag !== "string") return entry;
  if (COMPOUNDS.has(tag)) return entry.slice(1);
  // A typed array refers to its buffer. Its offset and its length are plain numbers.
  return /(Array|View)$/.test(tag) ? [first] : [];
}

/**
 * Copies a typed array or `DataView` that shows only part of its buffer. Without the copy, devalue
 * would store the whole buffer, with any other data in it. In Node, for example, several `Buffer`s
 * share one buffer.
 */
function compactView(value: unknown): ArrayBufferView | false {
  if (!ArrayBuffer.isView(value) || value.byteLength === value.buffer.byteLength) return false;
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if (value instanceof Uint8Array) return bytes;
  return new (value.constructor as new (buffer: ArrayBuffer) => ArrayBufferView)(bytes.buffer);
}
