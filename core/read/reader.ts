/**
 * Reading from outside what a workflow writes: streams, and events as they change.
 *
 * @module
 */

import type {
  EventEntry,
  EventReader,
  ReadStreamPartsOptions,
  StreamPart,
  StreamReader,
  WatchEventOptions,
} from "../client.ts";
import { Entries } from "./iteration.ts";
import {
  OffsetOutOfRangeError,
  quote,
  TimeoutError,
  VersionOutOfRangeError,
  WorkflowEndedError,
  WorkflowNotFoundError,
} from "../errors.ts";
import { checkWhole } from "../values/numbers.ts";
import type { WorkflowStatus } from "../driver/records.ts";
import { isActive } from "../driver/statuses.ts";
import type { StreamTail, StreamTails, TailPage } from "./stream_tails.ts";
import type { Values } from "../values/values.ts";
import { lookThroughOutages, unlessAborted, Waiter, waitFor, type WaitSources } from "../time/wait.ts";

/** How many values one request brings at most. */
const BATCH = 1_000;

/** Where readers read. */
export interface ReaderSources extends WaitSources {
  readonly values: Values;
  readonly tails: StreamTails;
}

/** A stream in the store. */
export class StoredStream<T> extends Entries<T, { offset: number; value: T }> implements StreamReader<T> {
  readonly #sources: ReaderSources;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #from: number | "end";
  readonly #limit: number;
  readonly #wait: boolean;

  constructor(sources: ReaderSources, workflowId: string, key: string, options: ReadStreamPartsOptions) {
    const { from = 0, limit = BATCH, wait = true, signal } = options;
    super(signal);
    if (from !== "end") checkWhole(from, "offset", 0);
    checkWhole(limit, "limit of a part", 1, BATCH);
    this.#sources = sources;
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
    const tail = this.#wait ? this.#sources.tails.join(this.#sources, this.#workflowId, this.#key) : undefined;
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
    return await (this.#wait ? lookThroughOutages(this.#sources, read, signal) : unlessAborted(read(), signal));
  }

  /** A page of the tail is as long as it came, whatever the limit of this reader. A value that cannot be decoded ends the part before it, and is an error if it is the first. */
  #toPart({ from, values, tail, ended }: TailPage): StreamPart<T> {
    if (from > tail) throw new OffsetOutOfRangeError(this.#workflowId, this.#key, { offset: from, end: tail });
    const decoded: T[] = [];
    for (const text of values.slice(0, this.#limit)) {
      try {
        decoded.push(
          this.#sources.values.decode(text, `value of stream ${quote(this.#key)}`, from + decoded.length) as T,
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
    const { closed, status, ...page } = await this.#sources.driver.readStream({
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

async function nextLook(waiter: Waiter, signal: AbortSignal): Promise<void> {
  while (!await waiter.next({ signal })) signal.throwIfAborted();
}

/** Calls `stop` once: when the signal aborts, or when the returned function is called. */
function onAbort(signal: AbortSignal, stop: () => void): () => void {
  let stopped = false;
  const stopOnce = () => {
    signal.removeEventListener("abort", stopOnce);
    if (!stopped) stop();
    stopped = true;
  };
  signal.addEventListener("abort", stopOnce);
  return stopOnce;
}

/**
 * The latest value of an event above a version, waited for.
 *
 * @throws {WorkflowEndedError} If the workflow has ended without it, or does so while this waits.
 * @throws {VersionOutOfRangeError} If `after` is above the version that there is.
 */
export async function eventEntry<T>(
  sources: ReaderSources,
  request: { workflowId: string; key: string; after: number; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<EventEntry<T>> {
  const { workflowId, key, after, timeoutMs, signal } = request;
  const look = async () => {
    const { event, status } = await sources.driver.readEvent({ workflowId, key });
    if (event && event.version > after) return event;
    checkSeen(after, event, request);
    if (status !== null && !isActive(status)) throw new WorkflowEndedError(workflowId, status);
  };
  const { version, value } = await waitFor(sources, look, {
    target: `outbox:${workflowId}`,
    timeoutMs,
    signal,
    onTimeout: () => new TimeoutError(`getEvent ${JSON.stringify(key)}`, timeoutMs),
  });
  return { version, value: sources.values.decode(value, `event ${quote(key)}`, version) as T };
}

/** Versions only rise: a reader that has seen a higher one than there is has seen that of another event. */
function checkSeen(
  seen: number,
  event: { version: number } | null,
  { workflowId, key }: { workflowId: string; key: string },
): void {
  const version = event?.version ?? 0;
  if (seen > version) throw new VersionOutOfRangeError(workflowId, key, { after: seen, version });
}

/** An event in the store. */
export class StoredEvent<T> extends Entries<T, EventEntry<T>> implements EventReader<T> {
  readonly #sources: ReaderSources;
  readonly #workflowId: string;
  readonly #key: string;
  readonly #after: number;

  constructor(sources: ReaderSources, workflowId: string, key: string, options: WatchEventOptions) {
    const { after = 0, signal } = options;
    super(signal);
    checkWhole(after, "version", 0);
    this.#sources = sources;
    this.#workflowId = workflowId;
    this.#key = key;
    this.#after = after;
  }

  protected async *read(signal: AbortSignal): AsyncGenerator<EventEntry<T>, void, undefined> {
    const waiter = new Waiter(this.#sources);
    const stopOnAbort = onAbort(signal, () => waiter.close());
    try {
      waiter.listen([`outbox:${this.#workflowId}`]);
      let existed = false;
      for (let seen = this.#after;;) {
        signal.throwIfAborted();
        const result = await waiter.look(() => unlessAborted(this.#look(seen), signal));
        if ("found" in result) {
          const { entry, version, status } = result.found;
          if (entry) {
            seen = entry.version;
            waiter.reset();
            yield entry;
          }
          // It was there and was purged.
          if (status === null && existed) return;
          if (!entry) checkSeen(seen, { version }, { workflowId: this.#workflowId, key: this.#key });
          if (status !== null && !isActive(status)) return;
          existed = status !== null;
        }
        await nextLook(waiter, signal);
      }
    } finally {
      stopOnAbort();
    }
  }

  /** The value above a version, if there is one. The text of the store ends here: a reader that has stopped would keep it beside the value. */
  async #look(
    seen: number,
  ): Promise<{ entry: EventEntry<T> | undefined; version: number; status: WorkflowStatus | null }> {
    const { driver, values } = this.#sources;
    const { event, status } = await driver.readEvent({ workflowId: this.#workflowId, key: this.#key });
    if (!event || event.version <= seen) return { entry: undefined, version: event?.version ?? 0, status };
    const { version, value } = event;
    return {
      entry: { version, value: values.decode(value, `event ${quote(this.#key)}`, version) as T },
      version,
      status,
    };
  }
}
