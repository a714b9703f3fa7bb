/**
 * Reading from outside what a workflow writes: streams, and events as they change.
 *
 * @module
 */

import type { ReadStreamOptions, StreamReader } from "./client.ts";
import type { WorkflowStatus } from "./driver.ts";
import { ValidationError, WorkflowNotFoundError } from "./errors.ts";
import type { Values } from "./values.ts";
import { unlessAborted, Waiter, type WaitSources } from "./wait.ts";

/** How many values one request brings at most. */
const BATCH = 1_000;

/** Where readers read. */
export interface ReaderSources extends WaitSources {
  readonly values: Values;
}

/** Whether a workflow may still write. */
export function isActive(status: WorkflowStatus): boolean {
  return status === "ENQUEUED" || status === "PENDING";
}

/** A stream in the store. */
export class StoredStream<T> implements StreamReader<T> {
  readonly #sources: ReaderSources;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #from: number;
  readonly #wait: boolean;
  readonly #signal: AbortSignal | undefined;

  constructor(sources: ReaderSources, workflowId: string, key: string, options: ReadStreamOptions) {
    const { from = 0, wait = true, signal } = options;
    if (!Number.isSafeInteger(from) || from < 0) {
      throw new ValidationError(`Reading a stream from ${from}: it must be an offset, 0 or more`);
    }
    this.#sources = sources;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#from = from;
    this.#wait = wait;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const { values } of this.#batches()) yield* values;
  }

  async *entries(): AsyncGenerator<{ offset: number; value: T }, void, undefined> {
    for await (const { from, values } of this.#batches()) {
      for (const [index, value] of values.entries()) yield { offset: from + index, value };
    }
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const collected: T[] = [];
    let closed = false;
    for await (const batch of this.#batches()) {
      for (const value of batch.values) collected.push(value);
      closed = batch.closed;
    }
    return { values: collected, closed, nextOffset: this.#from + collected.length };
  }

  toReadableStream(): ReadableStream<T> {
    const iterator = this[Symbol.asyncIterator]();
    return new ReadableStream<T>({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return();
      },
    }, { highWaterMark: 0 });
  }

  /** What each look finds, the last one also if it is empty. `closed`: nothing will come after it. */
  async *#batches(): AsyncGenerator<{ from: number; values: T[]; closed: boolean }, void, undefined> {
    const waiter = new Waiter(this.#sources);
    try {
      if (this.#wait) waiter.listen([`outbox:${this.#workflowId}`]);
      for (let from = this.#from;;) {
        const { values, atEnd, ended } = await this.#look(from);
        const closed = atEnd && ended;
        const last = closed || (atEnd && !this.#wait);
        if (values.length > 0 || last) yield { from, values, closed };
        if (last) return;
        from += values.length;
        if (values.length > 0) waiter.reset();
        if (atEnd) await this.#nextLook(waiter);
      }
    } finally {
      waiter.close();
    }
  }

  async #look(from: number): Promise<{ values: T[]; atEnd: boolean; ended: boolean }> {
    const { driver, values } = this.#sources;
    this.#signal?.throwIfAborted();
    const page = await unlessAborted(
      driver.readStream({ workflowId: this.#workflowId, key: this.#key, from, limit: BATCH }),
      this.#signal,
    );
    if (page.status === null) throw new WorkflowNotFoundError(this.#workflowId);
    return {
      values: page.values.map((text) => values.decode(text) as T),
      atEnd: from + page.values.length >= page.tail,
      ended: page.closed || !isActive(page.status),
    };
  }

  async #nextLook(waiter: Waiter): Promise<void> {
    while (!await waiter.next({ signal: this.#signal })) this.#signal?.throwIfAborted();
  }
}

/** The values of an event, as they change, until its workflow ends. */
export async function* watchEvent<T>(
  sources: ReaderSources,
  workflowId: string,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const { driver, values } = sources;
  const waiter = new Waiter(sources);
  try {
    waiter.listen([`outbox:${workflowId}`]);
    for (let seen = 0, look = true;;) {
      signal?.throwIfAborted();
      if (look) {
        const { event, status } = await unlessAborted(driver.readEvent({ workflowId, key }), signal);
        if (event && event.version > seen) {
          seen = event.version;
          waiter.reset();
          yield values.decode(event.value) as T;
        }
        if (status !== null && !isActive(status)) return;
      }
      look = await waiter.next({ signal });
    }
  } finally {
    waiter.close();
  }
}
