/**
 * How live text is cut.
 *
 * @module
 */

/** The longest piece that is made at once, in characters, about: who reads slowly has no more than that kept beside the values themselves. */
export const PIECE: number = 2 ** 16;

const encoder = new TextEncoder();

/** A text as UTF-8, a piece at a time: a large value of a reader that has stopped is kept as text alone, and not as bytes, too. */
export class Pieces {
  readonly #text: string;
  #at = 0;

  /**
   * Makes it.
   *
   * @param text The text, well-formed.
   */
  constructor(text: string) {
    this.#text = text;
  }

  /** Whether all of it was taken. */
  get done(): boolean {
    return this.#at === this.#text.length;
  }

  /** The next piece. */
  next(): Uint8Array<ArrayBuffer> {
    const end = this.#at + PIECE;
    // Not between the two halves of a character.
    return this.#take(isHighSurrogate(this.#text.charCodeAt(end - 1)) ? end - 1 : end);
  }

  /** All that is left. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.#take(this.#text.length);
  }

  #take(end: number): Uint8Array<ArrayBuffer> {
    const piece = this.#text.slice(this.#at, end);
    this.#at = Math.min(end, this.#text.length);
    return encoder.encode(piece);
  }
}

/** The value of an entry, which the entry keeps no longer: a reader that has stopped keeps its text alone. */
export function letGo(entry: { value: unknown }): unknown {
  const { value } = entry;
  entry.value = undefined;
  return value;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
