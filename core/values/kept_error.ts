/**
 * Reduces an error that cannot be stored as it is.
 *
 * @module
 */

import { isError, reviveError, type SerializedError, serializeError } from "./serialized_error.ts";

/** The longest chain of causes that is kept. */
const MAX_CAUSES = 20;
/** The largest number of errors of an `AggregateError` that is kept. */
const MAX_ERRORS = 100;
/** The most of a name or message that is kept if the error is too large, in UTF-16 units. */
export const MAX_MESSAGE_LENGTH = 1_000;

/** A part that can be removed from an error. */
interface Part {
  readonly size: number;
  remove(): void;
}

/**
 * Copies an error without the parts that cannot be stored. The copy keeps the class, the causes and
 * all other fields. The causes are copied in the same way. If the copy is too large, the largest
 * parts are removed first. A `code` is removed only if it is larger than 1,000 bytes.
 *
 * @param error The error.
 * @param sizeOf Returns the size of an encoded value in bytes, or `undefined` if the value cannot
 * be encoded.
 * @param limit The largest size of the encoded copy, in bytes.
 */
export function keptError(error: Error, sizeOf: (value: unknown) => number | undefined, limit: number): Error {
  const copying = new Copying(sizeOf);
  const copy = copying.copy(error, 0);
  const parts = copying.parts.sort((a, b) => a.size - b.size);
  for (let size = sizeOf(copy); size === undefined || size > limit; size = sizeOf(copy)) {
    if (parts.length === 0) {
      copying.shorten();
      break;
    }
    // Each part can be encoded, but the whole is nested too deep and has no size. So the half with
    // the larger parts is removed.
    if (size === undefined) { for (const part of parts.splice(parts.length >> 1)) part.remove(); }
    for (let excess = (size ?? 0) - limit; excess > 0 && parts.length > 0; excess -= parts.pop()!.size) {
      parts.at(-1)!.remove();
    }
  }
  return copy;
}

/** Copies an error with all errors that can be reached from it. */
class Copying {
  readonly parts: Part[] = [];
  readonly #sizeOf: (value: unknown) => number | undefined;
  readonly #copies = new Map<Error, Error>();

  constructor(sizeOf: (value: unknown) => number | undefined) {
    this.#sizeOf = sizeOf;
  }

  copy(error: Error, depth: number): Error {
    const copied = this.#copies.get(error);
    if (copied) return copied;
    const copy = new Error();
    this.#copies.set(error, copy);
    const { cause, fields = {}, ...rest } = serializeError(error);
    const data: SerializedError = { ...rest };
    const entries = Object.entries({ ...fields, ...(cause !== undefined && { cause }) }).flatMap(([key, value]) => {
      const kept = this.#keep(value, depth, () => Reflect.deleteProperty(copy, key), key === "code");
      return kept ? [[key, kept.value] as const] : [];
    });
    const kept = new Map(entries);
    if (kept.has("cause")) data.cause = kept.get("cause");
    kept.delete("cause");
    data.fields = Object.fromEntries(kept);
    if (data.stack !== undefined) {
      this.parts.push({
        size: data.stack.length,
        remove: () => Reflect.deleteProperty(copy, "stack"),
      });
    }
    return reviveError(data, copy);
  }

  /** Cuts every name and message. */
  shorten(): void {
    for (const copy of this.#copies.values()) {
      for (const key of ["name", "message"] as const) {
        if (copy[key].length > MAX_MESSAGE_LENGTH) copy[key] = copy[key].slice(0, MAX_MESSAGE_LENGTH);
      }
    }
  }

  #keep(value: unknown, depth: number, remove: () => void, always: boolean): { value: unknown } | undefined {
    if (isError(value)) return depth < MAX_CAUSES ? { value: this.copy(value, depth + 1) } : undefined;
    if (Array.isArray(value) && value.some(isError)) {
      return { value: value.slice(0, MAX_ERRORS).flatMap((it) => this.#keep(it, depth, remove, always)?.value ?? []) };
    }
    const size = this.#sizeOf(value);
    if (size === undefined) return undefined;
    if (!always || size > MAX_MESSAGE_LENGTH) this.parts.push({ size, remove });
    return { value };
  }
}
