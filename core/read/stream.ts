/**
 * Reading a stream of a workflow from outside.
 *
 * @module
 */

import type { ReadStreamPartsOptions, StreamPart, StreamReader } from "../client.ts";
import type { ReadHost } from "./host.ts";
import { EndableIterable, onAbort } from "./iteration.ts";
import { OffsetOutOfRangeError, quote, WorkflowNotFoundError } from "../errors.ts";
import { checkWholeNumber } from "../values/checks.ts";
import type {} from "../driver/records.ts";
import { isActive } from "../driver/statuses.ts";
import type { StreamTail, TailPage } from "./stream_tails.ts";
import type {} from "../values/values.ts";
import { lookThroughOutages, unlessAborted } from "../time/wait.ts";

/** How many values one request brings at most. */
const BATCH = 1_000;

/** A stream in the store. */
export class StoredStream<T> extends EndableIterable<T, { offset: number; value: T }> implements StreamReader<T> {
  readonly #host: ReadHost;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #from: number | "end";
  readonly #limit: number;
  readonly #wait: boolean;

  constructor(host: ReadHost, workflowId: string, key: string, options: ReadStreamPartsOptions) {
    const { from = 0, limit = BATCH, wait = true, signal } = options;
    super(signal);
    if (from !== "end") checkWholeNumber(from, "offset", 0);
    checkWholeNumber(limit, "limit of a part", 1, BATCH);
    this.#host = host;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#from = from;
    this.#limit = limit;
    this.#wait = wait;
  }

  parts(): AsyncIterableIterator<StreamPart<T>> {
    return this.iterate((signal) => this.#parts(signal));
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const collected: T[] = [];
    let closed = false;
    let nextOffset = 0;
    for await (const part of this.parts()) {
      for (const value of part.values) collected.push(value);
      ({ closed, nextOffset } = part);
    }
    return { values: collected, closed, nextOffset };
  }

  protected async *read(signal: AbortSignal): AsyncGenerator<{ offset: number; value: T }, void, undefined> {
    for await (const { from, values } of this.#parts(signal)) {
      for (const [index, value] of values.entries()) yield { offset: from + index, value };
    }
  }

  /** What each look finds: the first one and the last one also if it is empty. */
  async *#parts(signal: AbortSignal): AsyncGenerator<StreamPart<T>, void, undefined> {
    const tail = this.#wait ? this.#host.tails.join(this.#host, this.#workflowId, this.#key) : undefined;
    // Also when the iterator has become garbage, and nobody goes on with this.
    const stopOnAbort = onAbort(signal, () => tail?.leave());
    try {
      for (let part = await this.#first(signal);; part = await this.#after(part, tail, signal)) {
        yield part;
        if (part.closed || (part.atEnd && !tail)) return;
      }
    } finally {
      stopOnAbort();
    }
  }

  async #first(signal: AbortSignal): Promise<StreamPart<T>> {
    signal.throwIfAborted();
    if (this.#from !== "end") return this.#toPart(await this.#look(this.#from, this.#limit, signal));
    const { tail, ended } = await this.#look(0, 0, signal);
    return { from: tail, values: [], nextOffset: tail, atEnd: true, closed: ended };
  }

  async #after(part: StreamPart<T>, tail: StreamTail | undefined, signal: AbortSignal): Promise<StreamPart<T>> {
    signal.throwIfAborted();
    const { nextOffset } = part;
    if (part.atEnd && tail) return this.#toPart(await tail.next(nextOffset, (from) => this.#read(from), signal));
    return this.#toPart(await this.#look(nextOffset, this.#limit, signal));
  }

  /** A reader that waits goes on through an outage of the store. */
  async #look(from: number, limit: number, signal: AbortSignal): Promise<TailPage> {
    const read = () => this.#read(from, limit);
    return await (this.#wait ? lookThroughOutages(this.#host, read, signal) : unlessAborted(read(), signal));
  }

  /** A page of the tail is as long as it came, whatever the limit of this reader. A value that cannot be decoded ends the part before it, and is an error if it is the first. */
  #toPart({ from, values, tail, ended }: TailPage): StreamPart<T> {
    if (from > tail) throw new OffsetOutOfRangeError(this.#workflowId, this.#key, { offset: from, end: tail });
    const decoded: T[] = [];
    for (const text of values.slice(0, this.#limit)) {
      try {
        decoded.push(
          this.#host.values.decode(text, `value of stream ${quote(this.#key)}`, from + decoded.length) as T,
        );
      } catch (error) {
        if (decoded.length === 0) throw error;
        break;
      }
    }
    const nextOffset = from + decoded.length;
    const atEnd = nextOffset >= tail;
    return { from, values: decoded, nextOffset, atEnd, closed: atEnd && ended };
  }

  async #read(from: number, limit: number = this.#limit): Promise<TailPage> {
    const { closed, status, ...page } = await this.#host.driver.readStream({
      workflowId: this.#workflowId,
      key: this.#key,
      from,
      limit,
    });
    if (status === null) throw new WorkflowNotFoundError(this.#workflowId);
    return { ...page, from, ended: closed || !isActive(status) };
  }
}

/** Lets go of the values of a part that its reader has not taken off: the part ends before them, and reading goes on with them. */
export function putBack(part: StreamPart<unknown>): void {
  if (part.values.length === 0) return;
  part.nextOffset -= part.values.length;
  part.values.length = 0;
  part.atEnd = part.closed = false;
}
