/**
 * How live text is cut and kept in memory.
 *
 * @module
 */

import type { StreamPage } from "../../core/readers.ts";

/**
 * The longest piece that is made at once, in characters, about. A slow reader keeps no more than
 * that in memory beside the values.
 */
export const PIECE_LENGTH: number = 2 ** 16;

/**
 * A part of an answer that is sent as a whole, as a list of texts. The consumer empties the list,
 * because a suspended generator keeps what it yielded.
 */
export type Chunk = string[];

/** A long text, and how many readers are sending it. */
interface Held {
  readonly text: string;
  readers: number;
}

/** The long texts that are being sent, by their source. Readers at one place share one copy. */
const held = new Map<string, Held>();

const encoder = new TextEncoder();

/**
 * A chunk as UTF-8, a piece at a time. So a large value of a stopped reader is kept as text only,
 * and not as bytes too.
 */
export class Pieces {
  readonly #texts: { readonly text: string; readonly leave: () => void }[];
  #at = 0;

  /**
   * Takes a chunk.
   *
   * @param chunk The well-formed text. The list is emptied.
   * @param source Where the text comes from. Texts of one source are shared.
   */
  constructor(chunk: Chunk, source: string) {
    this.#texts = chunk.splice(0).filter((text) => text !== "").map((text) => hold(text, source));
  }

  /** Whether all pieces were taken. */
  get done(): boolean {
    return this.#texts.length === 0;
  }

  /** The next piece. There must be one. */
  next(): Uint8Array<ArrayBuffer> {
    const { text } = this.#texts[0]!;
    const end = this.#at + PIECE_LENGTH;
    // A cut must not separate the two halves of a character.
    const cut = isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
    const piece = encoder.encode(text.slice(this.#at, cut));
    this.#at = cut;
    if (cut >= text.length) this.#shift();
    return piece;
  }

  /** All remaining text. */
  rest(): Uint8Array<ArrayBuffer> {
    const left = this.#texts.map(({ text }, index) => index === 0 ? text.slice(this.#at) : text).join("");
    this.end();
    return encoder.encode(left);
  }

  /** Drops all text. */
  end(): void {
    while (!this.done) this.#shift();
  }

  #shift(): void {
    this.#texts.shift()!.leave();
    this.#at = 0;
  }
}

/** The text, or an equal one that another reader of the source holds. */
function hold(text: string, source: string): { text: string; leave: () => void } {
  if (text.length < PIECE_LENGTH) return { text, leave: () => {} };
  // The beginning of the text contains the offset or version.
  const name = `${source} ${text.length} ${text.slice(0, 64)}`;
  const kept = held.get(name) ?? { text, readers: 0 };
  // The other text comes from another store, or from another workflow of this ID.
  if (kept.text !== text) return { text, leave: () => {} };
  held.set(name, kept);
  kept.readers++;
  const leave = () => {
    if (--kept.readers === 0) held.delete(name);
  };
  return { text: kept.text, leave };
}

/** Text that is collected until it is worth sending. */
export class Gathered {
  #chunk: Chunk = [];
  #length = 0;

  /** Whether there is no text. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Adds text. A long text stays separate, so that readers can share it. */
  add(text: string): void {
    this.#length += text.length;
    const last = this.#chunk.at(-1);
    if (last === undefined || last.length >= PIECE_LENGTH || text.length >= PIECE_LENGTH) this.#chunk.push(text);
    else this.#chunk[this.#chunk.length - 1] = last + text;
  }

  /**
   * Adds values of a page, and removes them from the page. If the reader has stopped, only the rest
   * and the current text stay in memory.
   *
   * @returns Whether the text is worth sending now.
   */
  fill(page: StreamPage<unknown>, frame: (offset: number, value: unknown) => string): boolean {
    while (page.values.length > 0 && this.#length < PIECE_LENGTH) {
      const offset = page.nextOffset - page.values.length;
      this.add(frame(offset, page.values.shift()));
    }
    return this.#length >= PIECE_LENGTH;
  }

  /** Takes the text, and starts again with none. */
  take(): Chunk {
    const chunk = this.#chunk;
    [this.#chunk, this.#length] = [[], 0];
    return chunk;
  }
}

/** How pages of a stream become text. */
export interface Frames {
  /** The beginning of the answer. */
  readonly opening?: string;
  /** Sent first if there are no values yet. */
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

/**
 * The text of an entry. The entry drops its value, so that a stopped reader keeps only the text.
 */
export function entryChunk<Entry extends { value: unknown }>(entry: Entry, frame: (entry: Entry) => string): Chunk {
  const text = frame(entry);
  entry.value = undefined;
  return [text];
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
