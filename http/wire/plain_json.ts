/**
 * Values as plain JSON.
 *
 * @module
 */

/** How deep a value may be nested over HTTP. Serialisers call themselves for each level, and a runtime's stack ends after some thousands. */
const DEEPEST = 1_000;

/**
 * How much JSON an answer may come to, in characters, about. A value in the library's own encoding can be much smaller than its JSON: it may
 * refer to one part many times, and name the length of a list instead of having it. Lists of workflows are large and yet honest.
 */
const LARGEST = 64 * 2 ** 20;

/** What an item of a list costs beside its own text, as `null,` does where there is none. */
const ITEM = 5;

/** There is no JSON for a value within the limits. */
export class NotPlainError extends Error {}

/**
 * A value as JSON text, as near as JSON has it: what JSON does not know becomes text, a list, an object or `null`, as does a part that
 * contains itself.
 *
 * @throws {NotPlainError} If it is nested too deep, or too large.
 */
export function plainText(value: unknown): string {
  return JSON.stringify(toPlain(value)) ?? "null";
}

/**
 * A value as `JSON.stringify` takes it.
 *
 * @param largest How much JSON it may come to, in characters, about.
 * @throws {NotPlainError} If it is nested too deep, or too large.
 */
export function toPlain(value: unknown, largest: number = LARGEST): unknown {
  return new Writer(largest).write(value);
}

class Writer {
  readonly #largest: number;
  #left: number;
  /** The objects around the value at hand. */
  readonly #around = new Set<object>();

  constructor(largest: number) {
    this.#largest = largest;
    this.#left = largest;
  }

  write(value: unknown): unknown {
    if (typeof value === "bigint") return this.#text(value.toString());
    if (typeof value === "string") return this.#text(value);
    this.#spend(1);
    if (typeof value !== "object" || value === null) return value;
    if (this.#around.has(value)) return null;
    if (this.#around.size === DEEPEST) throw new NotPlainError(`it is nested deeper than ${DEEPEST} levels`);
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
    // Of `Date`, `URL`, `Temporal` and classes that another codec stores.
    if ("toJSON" in value && typeof value.toJSON === "function") return this.write(value.toJSON());
    return this.#writeEntries(Object.entries(value));
  }

  #writeList(list: readonly unknown[]): unknown[] {
    // Before the list is walked: it may have four billion holes.
    this.#spend(list.length * ITEM);
    return Array.from(list, (it) => this.write(it));
  }

  #writeEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
    return Object.fromEntries(entries.map(([key, it]) => [this.#text(key), this.write(it)]));
  }

  #text(text: string): string {
    this.#spend(text.length);
    return text;
  }

  /** Of an error: the fields of one that was sent may be anything. */
  #word(word: unknown): string {
    return this.#text(typeof word === "string" ? word : "");
  }

  #spend(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw new NotPlainError(`as JSON it has more than ${this.#largest} characters`);
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
