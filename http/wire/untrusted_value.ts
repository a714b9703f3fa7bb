/**
 * Values that a client has encoded. The client may be hostile.
 *
 * @module
 */

import { childrenOf, decodeParts, isPortable, MAX_DEPTH, SPARSE } from "../../core/values/codec.ts";
import { EncodedValue } from "../../core/values/values.ts";
import { ValidationError } from "../../core/errors.ts";
import { ITEM_LENGTH } from "../../core/values/plain_value.ts";

/**
 * A member of a body as a value that is not decoded yet. Its `decode` throws a `ValidationError` if
 * some runtime could not decode the value. It also throws if the value is nested more than 500
 * deep, or its JSON is too large.
 *
 * @param parts The output of devalue, parsed as JSON. A hostile client may send any JSON.
 * @param maxJsonLength How many characters its JSON may have, about.
 */
export function untrustedValue(parts: unknown, maxJsonLength: number): EncodedValue {
  const text = JSON.stringify(parts);
  return new EncodedValue(text, (what) => {
    if (!isPortable(text)) throw refused(what, "be of types that every runtime has");
    if (new Measure(parts, what).length > maxJsonLength) {
      throw refused(what, `take at most ${maxJsonLength} characters as JSON`);
    }
    try {
      return decodeParts(parts);
    } catch {
      throw notDevalue(what);
    }
  });
}

/**
 * Measures the JSON of a value, in characters, about. A value can be much smaller than its JSON. It
 * may refer to one part many times, and give the length of a list instead of its items. So each
 * part is measured once.
 */
class Measure {
  readonly length: number;
  readonly #parts: readonly unknown[];
  readonly #what: string;
  readonly #known = new Map<number, number>();

  constructor(parts: unknown, what: string) {
    this.#parts = Array.isArray(parts) ? parts : [];
    this.#what = what;
    this.length = this.#lengthAt(0, 1);
  }

  /** Visits the parts in the order of decoding, so that `depth` is how deep decoding recurses. */
  #lengthAt(index: number, depth: number): number {
    const part = this.#parts[index];
    if (typeof part === "string") return part.length;
    if (typeof part !== "object" || part === null) return ITEM_LENGTH;
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw refused(this.#what, `be nested at most ${MAX_DEPTH} deep`);
    // JSON shows a part that contains itself as `null`.
    this.#known.set(index, ITEM_LENGTH);
    const children = childrenOf(part);
    const items = Array.isArray(part) && part[0] === SPARSE ? Number(part[1]) : children.length;
    if (!(items >= 0)) throw notDevalue(this.#what);
    let length = items * ITEM_LENGTH + this.#textLength(part);
    for (const child of children) {
      if (typeof child === "number") length += this.#lengthAt(child, depth + 1);
    }
    this.#known.set(index, length);
    return length;
  }

  /** The characters in a part itself: its keys, and texts such as that of a date. */
  #textLength(part: object): number {
    if (!Array.isArray(part)) return Object.keys(part).join().length;
    let length = 0;
    for (const item of part) {
      // Decoding would treat any other item as a part, which this class has not measured.
      if (typeof item !== "string" && typeof item !== "number") throw notDevalue(this.#what);
      if (typeof item === "string") length += item.length;
    }
    return length;
  }
}

function notDevalue(what: string): ValidationError {
  return refused(what, "be encoded as devalue does");
}

function refused(what: string, required: string): ValidationError {
  return new ValidationError(`Decoding the ${what}: it must ${required}`);
}
