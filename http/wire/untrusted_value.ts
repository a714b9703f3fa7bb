/**
 * Values that a client has encoded. The client may be hostile.
 *
 * @module
 */

import { childrenOf, decodeParts, isPortable, MAX_DEPTH, SPARSE } from "../../core/values/codec.ts";
import { EncodedValue } from "../../core/values/encoded_value.ts";
import { ValidationError } from "../../core/errors.ts";

/**
 * The value of a member of a body, not decoded yet. Its `decode` throws a `ValidationError` if some runtime could not decode it, it is nested more than
 * 500 deep, or it takes too much as JSON.
 *
 * @param parts What devalue wrote, parsed as JSON. It may be anything that JSON can hold.
 * @param maxJsonLength How many characters the value may take as JSON, about.
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
      throw refused(what, "be encoded as devalue does");
    }
  });
}

/** What an item of a list takes beside its own text, as `null,` does. */
const ITEM_LENGTH = 5;

/**
 * How much JSON a value takes, in characters, about. A value can be much smaller than its JSON: it may refer to one part many times, and
 * give the length of a list in place of its items. So each part is measured once.
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

  /** Visits the parts in the order in which decoding does, so that `depth` is how deep decoding recurses. */
  #lengthAt(index: number, depth: number): number {
    const part = this.#parts[index];
    if (typeof part === "string") return part.length;
    if (typeof part !== "object" || part === null) return ITEM_LENGTH;
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw refused(this.#what, `be nested at most ${MAX_DEPTH} deep`);
    // A part that contains itself is shown as null there.
    this.#known.set(index, ITEM_LENGTH);
    const children = childrenOf(part);
    const items = Array.isArray(part) && part[0] === SPARSE ? Number(part[1]) : children.length;
    let length = items * ITEM_LENGTH;
    if (!Array.isArray(part)) length += Object.keys(part).join().length;
    for (const child of children) {
      if (typeof child === "number") length += this.#lengthAt(child, depth + 1);
      else if (typeof child === "string") length += child.length;
    }
    this.#known.set(index, length);
    return length;
  }
}

function refused(what: string, required: string): ValidationError {
  return new ValidationError(`Decoding the ${what}: it must ${required}`);
}
