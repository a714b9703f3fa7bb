/**
 * Shared waiting at the end of a stream. All live readers of a stream in one `Parley` share one
 * subscription. Those that have caught up also share each look.
 *
 * Without this sharing, 1,000 readers made 1,080 requests per value to the store, and got the value
 * a second later.
 *
 * @module
 */

import type { StreamPage } from "../client.ts";
import { lookThroughOutages, unlessAborted, Waiter, type WaitHost } from "../time/wait.ts";

/**
 * Reads a page of encoded values from an offset on. If the offset is beyond the end of the stream,
 * the page's `nextOffset` is below its `from`. A look also serves other readers, so it must not end
 * with the reader that supplied it.
 */
export type Look = (from: number) => Promise<StreamPage<string>>;

interface Waiting {
  readonly from: number;
  readonly look: Look;
  readonly signal: AbortSignal;
  readonly resolve: (page: StreamPage<string> | Promise<StreamPage<string>>) => void;
  readonly reject: (error: unknown) => void;
}

/** The tails of the streams that have readers. */
export class StreamTails {
  readonly #tails = new Map<string, StreamTail>();

  /**
   * Adds a reader to a stream's tail. The caller then looks at the stream itself.
   * {@linkcode StreamTail.next} finds all values that are written after that look.
   *
   * @returns The tail, which the caller must leave.
   */
  join(host: WaitHost, workflowId: string, key: string): StreamTail {
    const name = JSON.stringify([workflowId, key]);
    const tail = this.#tails.get(name) ?? new StreamTail(host, workflowId, () => this.#tails.delete(name));
    this.#tails.set(name, tail);
    return tail.enter();
  }
}

/** The end of a stream, and the readers that wait there. */
export class StreamTail {
  readonly #host: WaitHost;
  readonly #waiter: Waiter;
  readonly #onEmpty: () => void;
  readonly #waiting = new Set<Waiting>();
  #readers = 0;
  /** The highest end that a look has seen. `Infinity` if the last look did not reach the end. */
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
   * Waits for a value at an offset. The caller has found nothing there since it joined.
   *
   * @param from The offset.
   * @param look Reads a page.
   * @param signal Ends the wait, which rejects with the signal's reason.
   * @returns A page that has values at the offset, is closed, or ends below the offset.
   */
  async next(from: number, look: Look, signal: AbortSignal): Promise<StreamPage<string>> {
    signal.throwIfAborted();
    for (;;) {
      // A shared look has already passed this offset, and later ones will not return to it.
      const late = from < this.#end || this.#closed;
      const looks = this.#looks;
      const page = late
        ? await lookThroughOutages(this.#host, () => look(from), signal)
        : await this.#wait(from, look, signal);
      if (page.values.length > 0 || page.closed || page.nextOffset < from) return page;
      // The workflow was resumed, or it was purged and started again under the same ID.
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
      // Settles the promise, because a pending one would keep its listener on the signal.
      waiting!.reject(undefined);
    }
  }

  /**
   * Looks as long as a reader waits, even while the store is away. It does not read ahead for
   * readers that are busy with earlier values.
   */
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
      // The reader must look for itself. Its values are on a later page, or its stream is another
      // one of the same name, or the reader came after the look had begun.
      else if (!atEnd || from > nextOffset) resolve(lookThroughOutages(this.#host, () => look(from), signal));
      else if (closed) resolve({ ...page, from, values: [] });
      else continue;
      this.#waiting.delete(waiting);
    }
  }
}
