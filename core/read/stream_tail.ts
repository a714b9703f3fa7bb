/**
 * The tail of one stream: where the stream ends, and the readers that wait there.
 *
 * @module
 */

import type { WatchTarget } from "../driver/driver.ts";
import type { StreamPage } from "../readers.ts";
import { lookThroughOutages, unlessAborted } from "../time/wait.ts";
import { LIVE_POLL_MS, Waiter, type WaitHost } from "../time/waiter.ts";
import type { Cohort, StreamReaders } from "./local_streams.ts";
import { RecentValues } from "./recent_values.ts";

/**
 * Reads a page of encoded values from an offset on. If the offset is beyond the end of the stream,
 * the page's `nextOffset` is below its `from`. A look also serves other readers, so it must not end
 * with the reader that supplied it.
 */
export type Look = (from: number) => Promise<StreamPage<string>>;

/** How long a reader that is behind waits for a commit before it looks again. */
const MAX_COMMIT_WAIT_MS = 20;

interface Waiting {
  readonly from: number;
  readonly look: Look;
  readonly signal: AbortSignal;
  readonly source: Source;
  readonly resolve: (page: StreamPage<string> | Promise<StreamPage<string>>) => void;
  readonly reject: (error: unknown) => void;
}

/** Where a reader got its last page. */
interface Source {
  /** The values of the run that last handed this reader a page. `undefined` after a look. */
  told: RecentValues | undefined;
  /** Whether the last page came from a look, other than the reader's first look. */
  looked: boolean;
}

/** A reader of a stream, as its tail sees it. */
export interface TailReader {
  /**
   * Waits for a value at an offset. The caller has found nothing there since it joined.
   *
   * @param from The offset.
   * @param look Reads a page.
   * @param signal Ends the wait, which rejects with the signal's reason.
   * @returns A page that has values at the offset, is closed, or ends below the offset.
   */
  next(from: number, look: Look, signal: AbortSignal): Promise<StreamPage<string>>;
  /** Ends the reader's part in the subscription. */
  leave(): void;
}

/** Options of {@linkcode StreamTail}. */
interface TailOptions {
  /**
   * Whether a run of this isolate tells the readers what it writes to the stream. A hint then only
   * helps with a cancel by another isolate, which the run notices soon, too.
   */
  readonly isTold: () => boolean;
  /** Called when the stream has no readers any more. */
  readonly onEmpty: () => void;
}

/**
 * The end of a stream, and the readers that wait there. A reader gets a page in one of three ways:
 *
 * - A run here hands over what a commit has written, if the reader waited when the commit was sent.
 *   See `local_streams.ts` for the reason.
 * - A shared look finds the page, if the reader has caught up.
 * - A look of its own finds the page, if the reader is behind.
 *
 * If the run writes all the time, a reader would be behind again after each look of its own. So
 * after such a look it waits, although it is behind. The next commit finds it waiting, and the run
 * hands over everything that the reader lacks.
 */
export class StreamTail implements StreamReaders {
  readonly #host: WaitHost;
  readonly #target: WatchTarget;
  readonly #isTold: () => boolean;
  readonly #waiter: Waiter;
  readonly #onEmpty: () => void;
  readonly #waiting = new Set<Waiting>();
  #readers = 0;
  /**
   * The highest end that a look has seen or a run here has told. After a look that did not reach
   * the end, it is `Infinity` until a reader finds the end by itself.
   */
  #end = 0;
  /** Whether the stream was closed, according to the last look or the last page from a run here. */
  #closed = false;
  /** Counts the pages from shared looks and from runs, so that an older page is recognised. */
  #pages = 0;
  #looking = false;
  /** Whether there is a reason to look at once. */
  #isDue = false;
  /** The last values that the run of this isolate has written, if there is one. */
  #recent: RecentValues | undefined;
  #stopCommitWait: (() => void) | undefined;

  constructor(host: WaitHost, workflowId: string, { isTold, onEmpty }: TailOptions) {
    this.#host = host;
    this.#target = `stream:${workflowId}`;
    this.#isTold = isTold;
    this.#onEmpty = onEmpty;
    this.#waiter = new Waiter(host, {
      lookMs: () => isTold() ? LIVE_POLL_MS : undefined,
      isEcho: isTold,
    });
    this.#waiter.listen([this.#target], { connects: false });
  }

  /** Adds a reader, which must leave. The reader makes its first look before its first `next`. */
  join(): TailReader {
    const source: Source = { told: undefined, looked: false };
    this.#readers++;
    return {
      next: (from, look, signal) => this.#next(from, look, signal, source),
      leave: () => this.#leave(),
    };
  }

  cohort(): Cohort {
    return new Set(this.#waiting);
  }

  /**
   * Hands the values that a commit has written to the readers of the cohort that still wait. Other
   * readers look, unless they wait for the next commit.
   */
  tell(cohort: Cohort, page: StreamPage<string>): void {
    if (this.#recent?.end === page.from) this.#recent.append(page.values);
    else this.#recent = new RecentValues(page);
    this.#pages++;
    this.#end = Math.max(this.#end, page.nextOffset);
    this.#closed = page.closed;
    if (page.values.length > 0) this.#waiter.reset();
    for (const waiting of [...this.#waiting]) if (cohort.has(waiting)) this.#offer(waiting, this.#recent, page.closed);
    this.#limitCommitWait();
    if ([...this.#waiting].some((waiting) => !cohort.has(waiting) && !this.#awaitsCommit(waiting))) this.#lookSoon();
  }

  lookSoon(): void {
    this.#recent = undefined;
    this.#limitCommitWait();
    this.#lookSoon();
  }

  reset(): void {
    // The commit that a reader waits for does not come any more.
    if ([...this.#waiting].some((waiting) => this.#awaitsCommit(waiting))) this.#isDue = true;
    this.#recent = undefined;
    this.#limitCommitWait();
    this.#waiter.reset();
    this.#waiter.poke();
  }

  #leave(): void {
    if (--this.#readers > 0) return;
    this.#stopCommitWait?.();
    this.#waiter.close();
    this.#onEmpty();
  }

  #lookSoon(): void {
    this.#isDue = true;
    this.#waiter.poke();
  }

  async #next(from: number, look: Look, signal: AbortSignal, source: Source): Promise<StreamPage<string>> {
    signal.throwIfAborted();
    for (;;) {
      const recent = source.told === this.#recent ? this.#recent?.pageAt(from, this.#closed) : undefined;
      if (recent) return recent;
      // If the store already has what this reader waits for, no hint will announce it.
      const isBehind = from < this.#end || this.#closed;
      const late = isBehind && !this.#awaitsCommit({ from, source });
      const pages = this.#pages;
      const page = late
        ? await this.#lookAlone(from, look, signal, source)
        : await this.#wait({ from, look, signal, source });
      if (page.values.length > 0 || page.closed || page.nextOffset < from) return page;
      // The recorded end does not hold for this reader, for one of three reasons. The last shared
      // look did not reach the end. Or the workflow was resumed. Or it was purged and started again
      // under the same ID.
      if (late && pages === this.#pages) [this.#end, this.#closed] = [from, false];
    }
  }

  #lookAlone(from: number, look: Look, signal: AbortSignal, source: Source): Promise<StreamPage<string>> {
    source.told = undefined;
    source.looked = true;
    return lookThroughOutages(this.#host, () => look(from), signal);
  }

  /**
   * Whether a reader that is behind waits for the next commit of the run, and does not look. It
   * does so only if the values that it lacks are kept here. They cannot be handed over before that
   * commit, because this reader may have looked at another workflow with the same ID.
   */
  #awaitsCommit({ from, source }: Pick<Waiting, "from" | "source">): boolean {
    return source.looked && !this.#closed && this.#recent?.pageAt(from, false) !== undefined;
  }

  /** Lets readers that wait for a commit look after a while. */
  #limitCommitWait(): void {
    const isNeeded = [...this.#waiting].some((waiting) => this.#awaitsCommit(waiting));
    if (isNeeded) {
      this.#stopCommitWait ??= this.#host.clock.after(MAX_COMMIT_WAIT_MS, () => {
        this.#stopCommitWait = undefined;
        for (const waiting of [...this.#waiting]) if (this.#awaitsCommit(waiting)) this.#resolveAlone(waiting);
      });
    } else {
      this.#stopCommitWait?.();
      this.#stopCommitWait = undefined;
    }
  }

  async #wait(options: Pick<Waiting, "from" | "look" | "signal" | "source">): Promise<StreamPage<string>> {
    let waiting: Waiting | undefined;
    const told = new Promise<StreamPage<string>>((resolve, reject) =>
      this.#waiting.add(waiting = { ...options, resolve, reject })
    );
    this.#limitCommitWait();
    if (!this.#looking) void this.#lookOut();
    try {
      return await unlessAborted(told, options.signal);
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
      this.#waiter.listen([this.#target], { connects: !this.#isTold() });
      if (!this.#isDue && !await this.#waiter.next() && !this.#isDue) continue;
      this.#isDue = false;
      this.#waiter.hear();
      const first = this.#lowest();
      if (!first) break;
      try {
        const pages = this.#pages;
        const result = await this.#waiter.look(() => first.look(first.from));
        // The page may be older than one that a run has handed over meanwhile.
        if ("found" in result && pages === this.#pages) this.#found(result.found);
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

  /** Hands the page of a look to all readers that wait. */
  #found(page: StreamPage<string>): void {
    const { nextOffset, atEnd, closed } = page;
    this.#pages++;
    this.#end = atEnd ? Math.max(this.#end, nextOffset) : Infinity;
    this.#closed = closed;
    if (page.values.length > 0) this.#waiter.reset();
    for (const waiting of [...this.#waiting]) {
      const { from, source, resolve } = waiting;
      if (from < nextOffset) resolve(pageFrom(page, from));
      // The reader must look for itself, for one of three reasons. Its values are on a later page.
      // Or the look and the reader saw different streams, because the workflow was purged and its
      // ID used again. Or the reader came after the look had begun.
      else if (!atEnd || from > nextOffset) {
        this.#resolveAlone(waiting);
        continue;
      } else if (closed) resolve({ ...page, from, values: [] });
      else continue;
      source.told = undefined;
      source.looked = true;
      this.#waiting.delete(waiting);
    }
    this.#limitCommitWait();
  }

  /**
   * Hands a reader of the cohort everything from its offset on, or lets it look if too little is
   * kept.
   */
  #offer(waiting: Waiting, recent: RecentValues, closed: boolean): void {
    const { from, source, resolve } = waiting;
    const page = recent.pageAt(from, closed);
    if (!page && from !== recent.end) return this.#resolveAlone(waiting);
    source.told = recent;
    source.looked = false;
    if (!page) return;
    this.#waiting.delete(waiting);
    resolve(page);
  }

  #resolveAlone(waiting: Waiting): void {
    const { from, look, signal, source, resolve } = waiting;
    this.#waiting.delete(waiting);
    resolve(this.#lookAlone(from, look, signal, source));
  }
}

/** The part of a page from an offset on. A gap in the stream may lie before the first value. */
function pageFrom(page: StreamPage<string>, offset: number): StreamPage<string> {
  const from = Math.max(offset, page.from);
  return { ...page, from, values: page.values.slice(from - page.from) };
}
