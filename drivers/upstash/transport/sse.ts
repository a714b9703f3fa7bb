/**
 * Reads server-sent events.
 *
 * @module
 */

/** An event may be longer, but no more than this of it is kept, in UTF-16 units. The longest that Parley publishes have half of it. */
const LONGEST_EVENT = 2 ** 20;

/** Takes a stream of bytes apart, however it was cut into chunks. See https://html.spec.whatwg.org/multipage/server-sent-events.html. */
export class EventParser {
  readonly #onData: (data: string) => void;
  // Deno 2.9 drops what looks like a byte order mark at the beginning of every chunk, where it may be a character.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #isFirst = true;
  /** The line that has not ended yet. */
  #line = "";
  /** The event that has not ended yet. */
  #data: string | undefined;
  /** The last chunk ended with a carriage return, so a line feed at the beginning of the next one is the same line's end. */
  #afterReturn = false;

  /**
   * Makes it.
   *
   * @param onData Gets the data of each event, in order.
   */
  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  /** The next bytes have come. */
  push(bytes: Uint8Array): void {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (this.#isFirst && text.startsWith("\u{FEFF}")) text = text.slice(1);
    this.#isFirst = false;
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");
    const [first = "", ...others] = text.split(/\r\n|\r|\n/);
    this.#line = cut(this.#line + first);
    for (const next of others) {
      this.#endLine(this.#line);
      this.#line = cut(next);
    }
  }

  #endLine(line: string): void {
    if (line === "") return this.#endEvent();
    const [, value] = /^data(?:: ?(.*))?$/s.exec(line) ?? [];
    // Comments, and fields that nobody here needs.
    if (value === undefined && line !== "data") return;
    this.#data = this.#data === undefined ? value ?? "" : cut(`${this.#data}\n${value ?? ""}`);
  }

  #endEvent(): void {
    const data = this.#data;
    this.#data = undefined;
    if (data !== undefined) this.#onData(data);
  }
}

function cut(text: string): string {
  return text.length > LONGEST_EVENT ? text.slice(0, LONGEST_EVENT) : text;
}
