/**
 * Reading from outside what a workflow writes: streams, and events as they change.
 *
 * @module
 */

import type { EventEntry, EventReader, ReadStreamOptions, StreamReader, WatchEventOptions } from "./client.ts";
import type { WorkflowStatus } from "./driver.ts";
import { TimeoutError, ValidationError, WorkflowNotFoundError } from "./errors.ts";
import type { Values } from "./values.ts";
import { unlessAborted, Waiter, waitFor, type WaitSources } from "./wait.ts";

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

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return endable((signal) => this.#values(signal), this.#signal);
  }

  entries(): AsyncIterableIterator<{ offset: number; value: T }> {
    return endable((signal) => this.#entries(signal), this.#signal);
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const collected: T[] = [];
    let closed = false;
    for await (const batch of endable((signal) => this.#batches(signal), this.#signal)) {
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
        await iterator.return?.();
      },
    }, { highWaterMark: 0 });
  }

  async *#values(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    for await (const { values } of this.#batches(signal)) yield* values;
  }

  async *#entries(signal: AbortSignal): AsyncGenerator<{ offset: number; value: T }, void, undefined> {
    for await (const { from, values } of this.#batches(signal)) {
      for (const [index, value] of values.entries()) yield { offset: from + index, value };
    }
  }

  /** What each look finds, the last one also if it is empty. `closed`: nothing will come after it. */
  async *#batches(signal: AbortSignal): AsyncGenerator<{ from: number; values: T[]; closed: boolean }, void, undefined> {
    const waiter = new Waiter(this.#sources);
    try {
      if (this.#wait) waiter.listen([`outbox:${this.#workflowId}`]);
      for (let from = this.#from;;) {
        const { values, atEnd, ended } = await this.#look(from, signal);
        const closed = atEnd && ended;
        const last = closed || (atEnd && !this.#wait);
        if (values.length > 0 || last) yield { from, values, closed };
        if (last) return;
        from += values.length;
        if (values.length > 0) waiter.reset();
        if (atEnd) await nextLook(waiter, signal);
      }
    } finally {
      waiter.close();
    }
  }

  async #look(from: number, signal: AbortSignal): Promise<{ values: T[]; atEnd: boolean; ended: boolean }> {
    const { driver, values } = this.#sources;
    signal.throwIfAborted();
    const page = await unlessAborted(
      driver.readStream({ workflowId: this.#workflowId, key: this.#key, from, limit: BATCH }),
      signal,
    );
    if (page.status === null) throw new WorkflowNotFoundError(this.#workflowId);
    return {
      values: page.values.map((text) => values.decode(text) as T),
      atEnd: from + page.values.length >= page.tail,
      ended: page.closed || !isActive(page.status),
    };
  }
}

async function nextLook(waiter: Waiter, signal: AbortSignal): Promise<void> {
  while (!await waiter.next({ signal })) signal.throwIfAborted();
}

/** The latest value of an event above a version, waited for. */
export async function eventEntry<T>(
  sources: ReaderSources,
  request: { workflowId: string; key: string; after: number; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<EventEntry<T>> {
  const { workflowId, key, after, timeoutMs, signal } = request;
  const look = async () => {
    const { event } = await sources.driver.readEvent({ workflowId, key });
    return event && event.version > after ? event : undefined;
  };
  const { version, value } = await waitFor(sources, look, {
    target: `outbox:${workflowId}`,
    timeoutMs,
    signal,
    onTimeout: () => new TimeoutError(`getEvent ${JSON.stringify(key)}`, timeoutMs),
  });
  return { version, value: sources.values.decode(value) as T };
}

/** An event in the store. */
export class StoredEvent<T> implements EventReader<T> {
  readonly #sources: ReaderSources;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #after: number;
  readonly #signal: AbortSignal | undefined;

  constructor(sources: ReaderSources, workflowId: string, key: string, options: WatchEventOptions) {
    const { after = 0, signal } = options;
    checkVersion(after);
    this.#sources = sources;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#after = after;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return endable((signal) => this.#values(signal), this.#signal);
  }

  entries(): AsyncIterableIterator<EventEntry<T>> {
    return endable((signal) => this.#entries(signal), this.#signal);
  }

  async *#values(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    for await (const { value } of this.#entries(signal)) yield value;
  }

  async *#entries(signal: AbortSignal): AsyncGenerator<EventEntry<T>, void, undefined> {
    const { driver, values } = this.#sources;
    const waiter = new Waiter(this.#sources);
    try {
      waiter.listen([`outbox:${this.#workflowId}`]);
      for (let seen = this.#after;;) {
        signal.throwIfAborted();
        const { event, status } = await unlessAborted(driver.readEvent({ workflowId: this.#workflowId, key: this.#key }), signal);
        if (event && event.version > seen) {
          seen = event.version;
          waiter.reset();
          yield { version: seen, value: values.decode(event.value) as T };
        }
        if (status !== null && !isActive(status)) return;
        await nextLook(waiter, signal);
      }
    } finally {
      waiter.close();
    }
  }
}

/** Refuses what cannot be the version of an event, or 0 for none. */
export function checkVersion(after: number): void {
  if (!Number.isSafeInteger(after) || after < 0) {
    throw new ValidationError(`Reading an event after version ${after}: it must be a whole number, 0 or more`);
  }
}

/**
 * An iterator whose `return()` also ends a `next()` that waits. A generator alone would put it behind that: a browser that goes away while
 * nothing is written would be waited for until the workflow ends.
 */
export function endable<T>(
  generate: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<T> {
  const ending = new AbortController();
  const generator = generate(ending.signal);
  const onAbort = () => ending.abort(signal?.reason);
  let waiting = 0;
  let returned = false;
  return {
    async next() {
      if (signal?.aborted) onAbort();
      if (waiting++ === 0) signal?.addEventListener("abort", onAbort);
      try {
        return await generator.next();
      } catch (error) {
        if (returned) return { done: true, value: undefined };
        throw error;
      } finally {
        // Only while somebody waits, so that an iterator that was dropped leaves no listener.
        if (--waiting === 0) signal?.removeEventListener("abort", onAbort);
      }
    },
    async return() {
      returned = true;
      ending.abort();
      return await generator.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
