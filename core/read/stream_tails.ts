/**
 * The readers of one stream in this isolate, where they have caught up, wait as one: one subscription, one look, however many they are. With each
 * on its own, 1,000 readers made 1,080 requests a value to the store, and were told a second later.
 *
 * @module
 */

import type { StreamPage } from "../client.ts";
import { lookThroughOutages, unlessAborted, Waiter, type WaitHost } from "../time/wait.ts";

/**
 * Looks at a stream from an offset on, and returns a page of encoded values. Beyond the end of the stream, the page's `nextOffset` is below its `from`. A look
 * also serves other readers, so it must not end with the reader that brought it.
 */
export type Look = (from: number) => Promise<StreamPage<string>>;

interface Waiting {
  readonly from: number;
  readonly look: Look;
  readonly signal: AbortSignal;
  readonly resolve: (page: StreamPage<string> | Promise<StreamPage<string>>) => void;
  readonly reject: (error: unknown) => void;
}

/** The tails that somebody reads. */
export class StreamTails {
  readonly #tails = new Map<string, StreamTail>();

  /**
   * Subscribes. What is written after this is found by {@linkcode StreamTail.next}, from the end that the caller's own first look finds.
   *
   * @returns The tail; the caller has to leave it.
   */
  join(host: WaitHost, workflowId: string, key: string): StreamTail {
    const name = JSON.stringify([workflowId, key]);
    const tail = this.#tails.get(name) ?? new StreamTail(host, workflowId, () => this.#tails.delete(name));
    this.#tails.set(name, tail);
    return tail.enter();
  }
}

/** The end of a stream, and who waits there. */
export class StreamTail {
  readonly #host: WaitHost;
  readonly #waiter: Waiter;
  readonly #onEmpty: () => void;
  readonly #waiting = new Set<Waiting>();
  #readers = 0;
  /** The highest end that was seen; `Infinity` if the last look did not reach the end. */
  #end = 0;
  /** Whether the stream was closed at the last look. */
  #closed = false;
  #looks = 0;
  #looking = false;

  constructor(host: WaitHost, workflowId: string, onEmpty: () => void) {
    this.#host = host;
    this.#onEmpty = onEmpty;
    this.#waiter = new Waiter(host);
    this.#waiter.listen([`outbox:${workflowId}`]);
  }

  enter(): this {
    this.#readers++;
    return this;
  }

  leave(): void {
    if (--this.#readers > 0) return;
    this.#waiter.close();
    this.#onEmpty();
  }

  /**
   * Waits for what comes at an offset where the caller found nothing after it had joined.
   *
   * @param look How to look.
   * @param signal Ends the wait: it rejects with the signal's reason.
   * @returns A page that has values at the offset, tells of the end of the stream, or has an end below the offset.
   */
  async next(from: number, look: Look, signal: AbortSignal): Promise<StreamPage<string>> {
    signal.throwIfAborted();
    for (;;) {
      // Others were told meanwhile, and nobody tells it again.
      const late = from < this.#end || this.#closed;
      const looks = this.#looks;
      const page = late
        ? await lookThroughOutages(this.#host, () => look(from), signal)
        : await this.#wait(from, look, signal);
      if (page.values.length > 0 || page.closed || page.nextOffset < from) return page;
      // The workflow was resumed, or purged and started anew.
      if (late && looks === this.#looks) [this.#end, this.#closed] = [from, false];
    }
  }

  async #wait(from: number, look: Look, signal: AbortSignal): Promise<StreamPage<string>> {
    let waiting: Waiting | undefined;
    const told = new Promise<StreamPage<string>>((resolve, reject) =>
      this.#waiting.add(waiting = { from, look, signal, resolve, reject })
    );
    if (!this.#looking) void this.#lookOut();
    try {
      return await unlessAborted(told, signal);
    } finally {
      this.#waiting.delete(waiting!);
      // Nobody waits for it any more, and what does not settle leaves a listener.
      waiting!.reject(undefined);
    }
  }

  /** Looks for as long as somebody waits, also while the store is away, and no longer: who is busy with what came before has nothing read for it. */
  async #lookOut(): Promise<void> {
    this.#looking = true;
    while (this.#waiting.size > 0) {
      if (!await this.#waiter.next()) continue;
      const first = this.#lowest();
      if (!first) break;
      try {
        const result = await this.#waiter.look(() => first.look(first.from));
        if ("found" in result) this.#tell(result.found);
      } catch (error) {
        for (const { reject } of this.#waiting) reject(error);
        this.#waiting.clear();
      }
    }
    this.#looking = false;
  }

  #lowest(): Waiting | undefined {
    let lowest: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (!lowest || waiting.from < lowest.from) lowest = waiting;
    }
    return lowest;
  }

  #tell(page: StreamPage<string>): void {
    const { nextOffset, atEnd, closed } = page;
    this.#looks++;
    this.#end = atEnd ? Math.max(this.#end, nextOffset) : Infinity;
    this.#closed = closed;
    if (page.values.length > 0) this.#waiter.reset();
    for (const waiting of this.#waiting) {
      const { from, look, signal, resolve } = waiting;
      if (from < nextOffset) resolve({ ...page, from, values: page.values.slice(from - page.from) });
      // Its values are on a later page, or the stream is another one, or this reader came after the look had begun. Its own look tells.
      else if (!atEnd || from > nextOffset) resolve(lookThroughOutages(this.#host, () => look(from), signal));
      else if (closed) resolve({ ...page, from, values: [] });
      else continue;
      this.#waiting.delete(waiting);
    }
  }
}
