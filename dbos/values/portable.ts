/**
 * Writes values as DBOS's portable JSON, which its apps in every language read.
 *
 * @module
 */

import { ValidationError, ValueTooLargeError } from "../../core/errors.ts";
import { utf8Length } from "../../core/values/values.ts";

/** The name of the format, beside each value. */
export const PORTABLE = "portable_json";

/**
 * Encodes a value. Dates, big integers, URLs, sets, maps with texts as keys and errors are written
 * as DBOS writes them. `undefined` as a value is `null`; NaN and infinities are `null` too.
 *
 * @param value The value.
 * @param what What the value is, for errors.
 * @param limit The largest size, in bytes of UTF-8.
 * @throws {ValidationError} If JSON cannot show the value, which then holds a function, a symbol,
 * binary data, a regular expression, a map with other keys, or itself.
 * @throws {ValueTooLargeError} If it is larger than the limit.
 */
export function toPortable(value: unknown, what: string, limit: number): string {
  const text = stringify(value, what);
  const bytes = utf8Length(text, limit);
  if (bytes > limit) throw new ValueTooLargeError(what, bytes, limit);
  return text;
}

function stringify(value: unknown, what: string): string {
  try {
    return JSON.stringify(value ?? null, replace);
  } catch (error) {
    // The runtime's own error for a cycle quotes names of the value's keys.
    const reason = error instanceof Refusal
      ? error.message
      : error instanceof RangeError
      ? "it is nested too deep"
      : "it contains itself, or throws when it is read";
    throw new ValidationError(`Encoding the ${what}: ${reason}. DBOS takes it as portable JSON`);
  }
}

/** Says why JSON cannot show a value. */
class Refusal extends Error {}

function replace(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  // A `Buffer` of Node has become a plain object before, by its `toJSON`.
  refuseBinary(this[key]);
  switch (typeof value) {
    case "bigint":
      return value.toString();
    case "function":
    case "symbol":
      throw new Refusal(`it has a ${typeof value}`);
    case "object":
      return value === null ? null : plainObject(value);
    default:
      return value;
  }
}

function plainObject(value: object): unknown {
  if (value instanceof Map) {
    const keys = [...value.keys()];
    if (!keys.every((key) => typeof key === "string")) throw new Refusal("it has a Map whose keys are not all texts");
    return Object.fromEntries(value);
  }
  if (value instanceof Set) return [...value];
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof RegExp) throw new Refusal("it has a regular expression");
  return value;
}

function refuseBinary(value: unknown): void {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new Refusal("it has binary data; make a text of it, for example in base64");
  }
}
