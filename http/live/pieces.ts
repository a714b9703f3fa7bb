/**
 * How live text is cut and kept.
 *
 * @module
 */

import type { StreamPage } from "../../core/client.ts";

/** The longest piece that is made at once, in characters, about: who reads slowly has no more than that kept beside the values themselves. */
export const PIECE_LENGTH: number = 2 ** 16;

/**
 * Text of an answer that is not broken off within, in pages. Who takes it empties the list: a generator that waits keeps what it has yielded.
 */
export type Chunk = string[];

/** A long text, and how many readers are within it. */
interface Held {
  readonly text: string;
  readers: number;
}

/** The long texts that are being sent, by where they come from: readers at one place share one copy. */
const held = new Map<string, Held>();

const encoder = new TextEncoder();

/** A chunk as UTF-8, a piece at a time: a large value of a reader that has stopped is kept as text alone, and not as bytes, too. */
export class Pieces {
  readonly #texts: { readonly text: string; readonly leave: () => void }[];
  #at = 0;

  /**
   * Makes it.
   *
   * @param chunk The text, well-formed; it is emptied.
   * @param source Where it comes from: texts of one source are shared.
   */
  constructor(chunk: Chunk, source: string) {
    this.#texts = chunk.splice(0).filter((text) => text !== "").map((text) => hold(text, source));
  }

  /** Whether all of it was taken. */
  get done(): boolean {
    return this.#texts.length === 0;
  }

  /** The next piece; there must be one. */
  next(): Uint8Array<ArrayBuffer> {
    const { text } = this.#texts[0]!;
    const end = this.#at + PIECE_LENGTH;
    // Not between the two halves of a character.
    const cut = isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
    const piece = encoder.encode(text.slice(this.#at, cut));
    this.#at = cut;
    if (cut >= text.length) this.#shift();
    return piece;
  }

  /** All that is left. */
  rest(): Uint8Array<ArrayBuffer> {
    const left = this.#texts.map(({ text }, index) => index === 0 ? text.slice(this.#at) : text).join("");
    this.end();
    return encoder.encode(left);
  }

  /** Keeps nothing any more. */
  end(): void {
    while (!this.done) this.#shift();
  }

  #shift(): void {
    this.#texts.shift()!.leave();
    this.#at = 0;
  }
}

/** The text, or an equal one that another reader of the source holds already. */
function hold(text: string, source: string): { text: string; leave: () => void } {
  if (text.length < PIECE_LENGTH) return { text, leave: () => {} };
  // Its beginning has the offset or version.
  const name = `${source} ${text.length} ${text.slice(0, 64)}`;
  const kept = held.get(name) ?? { text, readers: 0 };
  // Another store's, or of a workflow whose ID was used again.
  if (kept.text !== text) return { text, leave: () => {} };
  held.set(name, kept);
  kept.readers++;
  const leave = () => {
    if (--kept.readers === 0) held.delete(name);
  };
  return { text: kept.text, leave };
}

/** Text that is gathered until it is worth sending. */
export class Gathered {
  #chunk: Chunk = [];
  #length = 0;

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Adds to it. A long text is a page of its own, which readers can share. */
  add(text: string): void {
    this.#length += text.length;
    const last = this.#chunk.at(-1);
    if (last === undefined || last.length >= PIECE_LENGTH || text.length >= PIECE_LENGTH) this.#chunk.push(text);
    else this.#chunk[this.#chunk.length - 1] = last + text;
  }

  /**
   * Adds values of a page, which lets go of them: a reader that has stopped keeps the rest, and the text at hand.
   *
   * @returns Whether it is worth sending now.
   */
  fill(page: StreamPage<unknown>, frame: (offset: number, value: unknown) => string): boolean {
    while (page.values.length > 0 && this.#length < PIECE_LENGTH) {
      const offset = page.nextOffset - page.values.length;
      this.add(frame(offset, page.values.shift()));
    }
    return this.#length >= PIECE_LENGTH;
  }

  /** Takes it, and begins anew. */
  take(): Chunk {
    const chunk = this.#chunk;
    [this.#chunk, this.#length] = [[], 0];
    return chunk;
  }
}

/** How pages of a stream become text. */
export interface Frames {
  /** What the answer begins with. */
  readonly opening?: string;
  /** Sent at first in place of values, where there are none yet. */
  readonly nothing?: string;
  /** A value. */
  readonly value: (offset: number, value: unknown) => string;
  /** The end of the stream. */
  readonly end: (nextOffset: number) => string;
}

/** A stream as text. */
export async function* framed(
  pages: AsyncIterable<StreamPage<unknown>>,
  { opening = "", nothing = "", value, end }: Frames,
): AsyncGenerator<Chunk, void, undefined> {
  const gathered = new Gathered();
  gathered.add(opening);
  let first = true;
  for await (const page of pages) {
    while (gathered.fill(page, value)) {
      first = false;
      yield gathered.take();
    }
    if (page.closed) gathered.add(end(page.nextOffset));
    if (first && gathered.isEmpty) gathered.add(nothing);
    first = false;
    if (!gathered.isEmpty) yield gathered.take();
  }
}

/** The text of the value of an entry, which the entry keeps no longer: a reader that has stopped keeps its text alone. */
export function entryChunk<Entry extends { value: unknown }>(entry: Entry, frame: (entry: Entry) => string): Chunk {
  const text = frame(entry);
  entry.value = undefined;
  return [text];
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
