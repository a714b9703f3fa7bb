/**
 * Values as plain JSON shows them.
 *
 * @module
 */

/**
 * How deep a value may be nested. Serialisers recurse, and a runtime's stack ends after some
 * thousands of levels.
 */
const MAX_DEPTH = 1_000;

/**
 * The largest JSON of a value, in characters, about. A value in the library's own encoding can be
 * much smaller than its JSON. It may refer to one part many times, and give the length of a list
 * instead of its items. Honest lists of workflows are large too.
 */
const MAX_LENGTH = 64 * 2 ** 20;

/** The cost of a list's item beside its own text, such as `null,`. */
export const ITEM_LENGTH = 5;

/**
 * Converts a value to one that `JSON.stringify` takes, as near as JSON can show it. A part that
 * JSON does not know, or that contains itself, becomes text, a list, an object or `null`.
 *
 * @param toError Makes the error for a value that is nested too deep or is too large.
 */
export function toPlainValue(value: unknown, toError: (reason: string) => Error): unknown {
  return new Writer(toError).write(value);
}

/** Makes values that `JSON.stringify` takes. */
class Writer {
  #left = MAX_LENGTH;
  /** The objects around the current value. */
  readonly #around = new Set<object>();
  readonly #toError: (reason: string) => Error;

  constructor(toError: (reason: string) => Error) {
    this.#toError = toError;
  }

  write(value: unknown): unknown {
    if (typeof value === "bigint") return this.#text(value.toString());
    if (typeof value === "string") return this.#text(value);
    this.#spend(1);
    if (typeof value !== "object" || value === null) return value;
    if (this.#around.has(value)) return null;
    if (this.#around.size === MAX_DEPTH) throw this.#toError(`it is nested deeper than ${MAX_DEPTH} levels`);
    this.#around.add(value);
    const plain = this.#writeObject(value);
    this.#around.delete(value);
    return plain;
  }

  #writeObject(value: object): unknown {
    if (Array.isArray(value)) return this.#writeList(value);
    if (value instanceof Error) return { name: this.#word(value.name), message: this.#word(value.message) };
    if (value instanceof Set) return this.#writeList([...value]);
    if (value instanceof Map) {
      return [...value.keys()].every((key) => typeof key === "string")
        ? this.#writeEntries([...value])
        : this.#writeList([...value]);
    }
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return this.#text(toBase64(value));
    if (value instanceof RegExp || value instanceof URLSearchParams) return this.#text(String(value));
    if (isBoxed(value)) return this.write(value.valueOf());
    // `Date`, `URL`, `Temporal` and classes that another codec stores.
    if ("toJSON" in value && typeof value.toJSON === "function") return this.write(value.toJSON());
    return this.#writeEntries(Object.entries(value));
  }

  #writeList(list: readonly unknown[]): unknown[] {
    // The list is not walked yet, because it may have four billion holes.
    this.#spend(list.length * ITEM_LENGTH);
    return Array.from(list, (it) => this.write(it));
  }

  #writeEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
    return Object.fromEntries(entries.map(([key, it]) => [this.#text(key), this.write(it)]));
  }

  #text(text: string): string {
    this.#spend(text.length);
    return text;
  }

  /** A field of an error. An error that a client sent may have anything there. */
  #word(word: unknown): string {
    return this.#text(typeof word === "string" ? word : "");
  }

  #spend(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw this.#toError(`it takes more than ${MAX_LENGTH} characters`);
  }
}

function isBoxed(value: object): boolean {
  return [Number, String, Boolean, BigInt].some((it) => Object.getPrototypeOf(value) === it.prototype);
}

function toBase64(data: ArrayBuffer | ArrayBufferView): string {
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
