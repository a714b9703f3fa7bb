/**
 * The last values that a run of this isolate has written to a stream. They serve readers that are a
 * little behind.
 *
 * @module
 */

import type { StreamPage } from "../readers.ts";

/** The most values, and the most characters, that are kept. A page of a stream has no more. */
const MAX_VALUES = 1_000;
const MAX_LENGTH = 2 ** 20;

/** The values from some offset to the end of a stream, encoded. */
export class RecentValues {
  #from: number;
  #values: string[];
  #length = 0;

  /** @param page The first values to keep, with their offset. */
  constructor({ from, values }: Pick<StreamPage<string>, "from" | "values">) {
    this.#from = from;
    this.#values = [];
    this.append(values);
  }

  /** The offset of the next value. */
  get end(): number {
    return this.#from + this.#values.length;
  }

  /** Adds values at the end, and drops the oldest if there are too many. */
  append(values: readonly string[]): void {
    for (const value of values) {
      this.#values.push(value);
      this.#length += value.length;
    }
    let dropped = 0;
    while (this.#values.length - dropped > MAX_VALUES || this.#length > MAX_LENGTH) {
      this.#length -= this.#values[dropped++]!.length;
    }
    if (dropped > 0) this.#values = this.#values.slice(dropped);
    this.#from += dropped;
  }

  /**
   * Returns the page at an offset. Returns `undefined` if no value at the offset is kept, unless
   * the offset is the end of a closed stream.
   *
   * @param closed Whether no more values will come.
   */
  pageAt(from: number, closed: boolean): StreamPage<string> | undefined {
    const { end } = this;
    if (from < this.#from || from > end || (from === end && !closed)) return undefined;
    return { from, values: this.#values.slice(from - this.#from), nextOffset: end, atEnd: true, closed };
  }
}
