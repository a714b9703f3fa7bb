/**
 * Gives the readers of this isolate what a run of the same isolate writes to streams. The readers
 * get the values once the store has confirmed them, without a read of the store.
 *
 * Before a commit is answered, the workflow may be purged and its ID used again. So the values go
 * only to readers that were already waiting when the commit was sent. These readers see the same as
 * if they had read the store at the moment of the commit. All other readers read the store.
 *
 * @module
 */

import type { StreamPage } from "../readers.ts";
import type { CommitRequest, Committed, StreamSnapshot } from "../driver/driver.ts";

/** The largest total length of the values that readers get from one commit, in UTF-16 units. */
const MAX_PAGE_LENGTH = 2 ** 20;

/** The readers that were waiting for the next values of a stream when a commit was sent. */
export type Cohort = ReadonlySet<unknown>;

/** The readers of one stream. */
export interface StreamReaders {
  /** The readers that wait now. */
  cohort(): Cohort;
  /** Hands a page at the end of the stream to a cohort. All other readers look for themselves. */
  tell(cohort: Cohort, page: StreamPage<string>): void;
  /** Lets all readers look as soon as possible. */
  lookSoon(): void;
  /** Resets the interval at which the readers look. */
  reset(): void;
}

/** What one commit writes to a stream. */
interface Written {
  readonly values: string[];
  closed: boolean;
  /** Whether the store may have other values than `values`, because the commit may be a repeat. */
  isUncertain: boolean;
}

const NOBODY: Cohort = new Set();

/** The streams of one workflow, as far as its run in this isolate knows them. */
export class LocalStreams {
  readonly #readers: () => ReadonlyMap<string, StreamReaders>;
  readonly #onOver: () => void;
  /** Whether this is the workflow's first run, so that all streams were empty before it. */
  readonly #isFirst: boolean;
  /**
   * The offset at which each stream ends; `null` if it is not known. No other run can change it
   * while this one holds the lease.
   */
  readonly #ends = new Map<string, number | null>();
  /**
   * The reads under way that may tell the run where a stream ends. A read is clean while the run
   * has not written to the stream since the read began.
   */
  readonly #observations = new Set<{ key: string; isClean: boolean }>();
  #request: CommitRequest | undefined;
  #cohorts: Map<string, Cohort> | undefined;
  #isOver = false;

  /**
   * @param epoch The epoch of the run. The first is 1.
   * @param options `readers`: the readers of the workflow, by key. `onOver`: called when the run no
   * longer holds the lease.
   */
  constructor(epoch: number, options: { readers: () => ReadonlyMap<string, StreamReaders>; onOver: () => void }) {
    this.#isFirst = epoch === 1;
    this.#readers = options.readers;
    this.#onOver = options.onOver;
  }

  /**
   * Whether readers of the stream can rely on this run. If so, the run hands them each value that
   * it writes, or lets them look.
   *
   * The run must hold the lease, as far as it knows. It must also know where the stream ends, or be
   * writing to the stream.
   */
  tells(key: string): boolean {
    return !this.#isOver && (this.#endOf(key) !== null || this.#isWriting(key));
  }

  /**
   * Makes a read, and notes where the stream ends. It notes nothing if the run writes meanwhile,
   * because either of the two may have come first.
   */
  async learn<S extends StreamSnapshot>(key: string, read: () => Promise<S>): Promise<S> {
    if (this.#isOver || this.#endOf(key) !== null) return await read();
    const observation = { key, isClean: !this.#isWriting(key) };
    this.#observations.add(observation);
    try {
      const snapshot = await read();
      if (observation.isClean && !this.#isOver) this.#ends.set(key, snapshot.tail);
      return snapshot;
    } finally {
      this.#observations.delete(observation);
    }
  }

  /** Notes a commit that is about to be sent. */
  send(request: CommitRequest): void {
    this.#request = request;
    this.#cohorts = undefined;
    for (const observation of this.#observations) if (this.#isWriting(observation.key)) observation.isClean = false;
    const isEnd = request.transition?.to === "end";
    for (const [key, readers] of this.#readers()) {
      if (isEnd || this.#isWriting(key)) (this.#cohorts ??= new Map()).set(key, readers.cohort());
    }
  }

  /** Tells the readers what the commit has written. */
  confirm(committed: Committed): void {
    const request = this.#request!;
    const written = writtenBy(request, committed);
    for (const [key, { values, isUncertain }] of written) {
      const end = this.#endOf(key);
      if (end !== null) this.#ends.set(key, isUncertain ? null : end + values.length);
    }
    const isReleased = committed.state === "released";
    const isEnd = isReleased && request.transition?.to === "end";
    for (const [key, readers] of this.#readers()) {
      const it = written.get(key);
      if (it || isEnd) this.#tell(key, readers, it, isEnd);
    }
    this.#request = this.#cohorts = undefined;
    if (isReleased) this.#end((readers) => readers.reset());
  }

  /** Notes that the run no longer holds the lease, or does not know whether it does. */
  lose(): void {
    this.#end((readers) => readers.lookSoon());
  }

  #tell(key: string, readers: StreamReaders, written: Written | undefined, isEnd: boolean): void {
    const { values, closed } = written ?? { values: [], closed: false };
    if (values.length === 0 && !closed && !isEnd) return;
    const nextOffset = this.#endOf(key);
    const length = values.reduce((sum, value) => sum + value.length, 0);
    if (nextOffset === null || length > MAX_PAGE_LENGTH) return readers.lookSoon();
    const from = nextOffset - values.length;
    const page = { from, values, nextOffset, atEnd: true, closed: closed || isEnd };
    readers.tell(this.#cohorts?.get(key) ?? NOBODY, page);
  }

  #end(notify: (readers: StreamReaders) => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#request = this.#cohorts = undefined;
    this.#onOver();
    for (const readers of this.#readers().values()) notify(readers);
  }

  /**
   * The end of a stream; `null` if it is not known. Before the first run, every stream was empty.
   * In that run, a stream without an entry in `#ends` therefore ends at 0.
   */
  #endOf(key: string): number | null {
    const end = this.#ends.get(key);
    return end === undefined && this.#isFirst ? 0 : end ?? null;
  }

  #isWriting(key: string): boolean {
    return this.#request?.operations.some(({ type, ...rest }) =>
      (type === "writeStream" || type === "closeStream") && "key" in rest && rest.key === key
    ) ?? false;
  }
}

function writtenBy({ operations }: CommitRequest, { results }: Committed): Map<string, Written> {
  const written = new Map<string, Written>();
  operations.forEach((operation, index) => {
    if (operation.type !== "writeStream" && operation.type !== "closeStream") return;
    const it = written.get(operation.key) ?? { values: [], closed: false, isUncertain: false };
    written.set(operation.key, it);
    const result = results[index]!;
    const isDone = "outcome" in result && result.outcome.tag === "done";
    if (operation.type === "closeStream") it.closed ||= isDone;
    else if (isDone) it.values.push(operation.value);
    // The stream is closed. If the commit is a repeat, the first call may have written this value
    // before the close.
    else if (operation.position === null) it.isUncertain = true;
  });
  return written;
}
