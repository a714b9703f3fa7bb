/**
 * Reads a stream of a workflow from outside.
 *
 * @module
 */

import type { ReadStreamPagesOptions, StreamPage, StreamReader } from "../readers.ts";
import type { ReadHost } from "./host.ts";
import { EndableIterable, onAbort } from "./iteration.ts";
import { OffsetOutOfRangeError, quote, WorkflowNotFoundError } from "../errors.ts";
import { checkWholeNumber } from "../values/checks.ts";
import { isActive } from "../driver/statuses.ts";
import type { TailReader } from "./stream_tail.ts";
import { lookThroughOutages, unlessAborted } from "../time/wait.ts";

/** The largest number of values in one request. */
const BATCH = 1_000;

/** A stream in the store. */
export class StoredStream<T> extends EndableIterable<T, { offset: number; value: T }> implements StreamReader<T> {
  readonly #host: ReadHost;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #from: number | "end";
  readonly #limit: number;
  readonly #wait: boolean;

  constructor(host: ReadHost, workflowId: string, key: string, options: ReadStreamPagesOptions) {
    const { from = 0, limit = BATCH, wait = true, signal } = options;
    super(signal);
    if (from !== "end") checkWholeNumber(from, "offset", 0);
    checkWholeNumber(limit, "limit of a page", 1, BATCH);
    this.#host = host;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#from = from;
    this.#limit = limit;
    this.#wait = wait;
  }

  pages(): AsyncIterableIterator<StreamPage<T>> {
    return this.iterate((signal) => this.#pages(signal));
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const collected: T[] = [];
    let closed = false;
    let nextOffset = 0;
    for await (const page of this.pages()) {
      for (const value of page.values) collected.push(value);
      ({ closed, nextOffset } = page);
    }
    return { values: collected, closed, nextOffset };
  }

  protected async *read(signal: AbortSignal): AsyncGenerator<{ offset: number; value: T }, void, undefined> {
    for await (const { from, values } of this.#pages(signal)) {
      for (const [index, value] of values.entries()) yield { offset: from + index, value };
    }
  }

  /** Yields the page of each look. Only the first and the last page may be empty. */
  async *#pages(signal: AbortSignal): AsyncGenerator<StreamPage<T>, void, undefined> {
    const tail = this.#wait ? this.#host.tails.join(this.#host, this.#workflowId, this.#key) : undefined;
    // The signal also aborts when the iterator is garbage-collected. In that case `finally` does
    // not run.
    const stopOnAbort = onAbort(signal, () => tail?.leave());
    try {
      for (let page = await this.#first(signal);; page = await this.#after(page, tail, signal)) {
        yield page;
        if (page.closed || (page.atEnd && !tail)) return;
      }
    } finally {
      stopOnAbort();
    }
  }

  async #first(signal: AbortSignal): Promise<StreamPage<T>> {
    signal.throwIfAborted();
    if (this.#from !== "end") return this.#decode(await this.#look(this.#from, signal));
    const end = await this.#look("end", signal);
    return { ...end, values: [] };
  }

  async #after(page: StreamPage<T>, tail: TailReader | undefined, signal: AbortSignal): Promise<StreamPage<T>> {
    signal.throwIfAborted();
    const { nextOffset } = page;
    if (page.atEnd && tail) return this.#decode(await tail.next(nextOffset, (from) => this.#read(from), signal));
    return this.#decode(await this.#look(nextOffset, signal));
  }

  /** Reads a page. With the option `wait`, the read goes on through an outage of the store. */
  async #look(from: number | "end", signal: AbortSignal): Promise<StreamPage<string>> {
    const read = () => this.#read(from);
    return await (this.#wait ? lookThroughOutages(this.#host, read, signal) : unlessAborted(read(), signal));
  }

  /**
   * Decodes a page, and cuts it to this reader's limit, because a page of the tail may be longer.
   *
   * The page ends before a value that cannot be decoded. If the first value cannot be decoded, this
   * throws the decoder's error.
   */
  #decode(page: StreamPage<string>): StreamPage<T> {
    const { from, nextOffset: end } = page;
    if (from > end) throw new OffsetOutOfRangeError(this.#workflowId, this.#key, { offset: from, end });
    const values: T[] = [];
    for (const text of page.values.slice(0, this.#limit)) {
      try {
        values.push(this.#host.values.decode(text, `value of stream ${quote(this.#key)}`, from + values.length) as T);
      } catch (error) {
        if (values.length === 0) throw error;
        break;
      }
    }
    const nextOffset = from + values.length;
    const isWhole = nextOffset === end;
    return { from, values, nextOffset, atEnd: isWhole && page.atEnd, closed: isWhole && page.closed };
  }

  async #read(from: number | "end"): Promise<StreamPage<string>> {
    const { driver, tails } = this.#host;
    const [workflowId, key] = [this.#workflowId, this.#key];
    const part = from === "end" ? { from: 0, limit: 0 } : { from, limit: this.#limit };
    const read = () => driver.readStream({ workflowId, key, ...part });
    const { values, tail, closed, status, from: first } = await tails.learn(workflowId, key, read);
    if (status === null) throw new WorkflowNotFoundError(this.#workflowId);
    const start = from === "end" ? tail : first ?? from;
    const nextOffset = Math.min(start + values.length, tail);
    const atEnd = nextOffset === tail;
    return { from: start, values, nextOffset, atEnd, closed: atEnd && (closed || !isActive(status)) };
  }
}

/**
 * Drops the values that a reader has left on its page. The page then ends before them, so the next
 * read gets them again.
 */
export function putBack(page: StreamPage<unknown>): void {
  if (page.values.length === 0) return;
  page.nextOffset -= page.values.length;
  page.values.length = 0;
  page.atEnd = page.closed = false;
}
