/**
 * Writes the operations of one run to the store. One commit is under way at a time. The next one
 * carries the operations that the code issued meanwhile.
 *
 * @module
 */

import { type Clock, delay, nextTask } from "../time/clock.ts";
import type {
  CommitRequest,
  CommitResult,
  Committed,
  Driver,
  Operation,
  OperationResult,
  Transition,
  WatchTarget,
} from "../driver/driver.ts";
import { DriverError } from "../errors.ts";
import { type EffectOrWait, isWait, type PendingOperation } from "./operation.ts";
import { namesOf, valueLeft, valueOf } from "./commit_texts.ts";

/**
 * The most operations and bytes in one commit. A larger commit would save less time than it costs
 * the operations behind it.
 */
const MAX_OPERATIONS = 1_000;
const MAX_BYTES = 2 ** 21;
/** The pause before a commit is sent again after all retries of the driver call have failed. */
const REPEAT_MS = 1_000;

/** The identity of the run, and its callbacks. */
export interface CommitsOptions {
  driver: Driver;
  clock: Clock;
  workflowId: string;
  epoch: number;
  owner: string;
  leaseMs: number;
  /** Called after each commit, with the workflows to wake and the targets that may have changed. */
  onCommit(result: { now: number; woken: string[]; touched: WatchTarget[] }): void;
  /** Called when the lease is gone. Nothing can be written any more. */
  onGone(state: "lost" | "cancelled"): void;
  /** Called when the store cannot be reached. */
  onFailure(error: unknown): void;
}

interface Release {
  transition: Transition;
  allowed: () => boolean;
  settle: (released: boolean) => void;
}

/** Groups operations into commits, looks at open waits, and renews the lease. */
export class Commits {
  readonly #options: CommitsOptions;
  /** In the order in which the code issued them. */
  readonly #queue: PendingOperation[] = [];
  /** Open waits: recorded as begun, without an outcome. */
  readonly #waits = new Map<number, PendingOperation<EffectOrWait>>();
  #lookers: (() => void)[] = [];
  #release: Release | undefined;
  #number = 0;
  #flushing = false;
  #closed = false;
  readonly #closing = new AbortController();
  #stopRenewal = () => {};
  /** When the store last answered a commit, by this isolate's clock; at first, when the run began. */
  #renewedAt: number;

  /**
   * @param options The identity of the run, and its callbacks.
   */
  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#renewedAt = options.clock.now();
    this.#renewLater();
  }

  /** The open waits. */
  get waits(): ReadonlyMap<number, { action: EffectOrWait }> {
    return this.#waits;
  }

  /** Whether nothing is sent any more, because the lease was released or lost. */
  get closed(): boolean {
    return this.#closed;
  }

  /** When a commit last renewed the lease, by this isolate's clock. */
  get renewedAt(): number {
    return this.#renewedAt;
  }

  /** Queues an operation. */
  push(operation: PendingOperation): void {
    this.#queue.push(operation);
    if (operation.action instanceof Promise) void operation.action.then((action) => this.#prepared(operation, action));
    else this.#flush();
  }

  /** Adds a wait that an earlier run began, without looking at it. */
  keep(operation: PendingOperation<EffectOrWait>): void {
    this.#waits.set(operation.position!, operation);
  }

  /** Removes a wait that is over. */
  forget(position: number): void {
    this.#waits.delete(position);
  }

  /**
   * Looks at all open waits, or renews the lease if there are none. The promise settles when the
   * results have been handed out, or when the run can no longer write.
   */
  look(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((looked) => {
      this.#lookers.push(looked);
      this.#flush();
    });
  }

  /**
   * Releases the workflow in the same commit as the last queued operations.
   *
   * @param transition How the run releases the workflow. A suspend also looks at all open waits. It
   * is refused if one of them has an outcome.
   * @param allowed Called right before the write. If it returns `false`, the workflow is kept.
   * @returns Whether the workflow was released.
   */
  release(transition: Transition, allowed: () => boolean = () => true): Promise<boolean> {
    return new Promise((settle) => {
      this.#release = { transition, allowed, settle };
      this.#flush();
    });
  }

  /** Drops all queued operations. */
  drop(): void {
    this.#queue.length = 0;
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true;
    this.#closing.abort();
    this.#stopRenewal();
    this.drop();
    this.#waits.clear();
    this.#endLooks();
  }

  #flush(): void {
    if (this.#flushing || this.#closed) return;
    this.#flushing = true;
    this.#flushAll().catch((error) => {
      if (this.#closed) return;
      this.close();
      this.#options.onFailure(error);
    });
  }

  async #flushAll(): Promise<void> {
    for (;;) {
      // Operations that are issued together go into one commit, even if several promises woke the
      // code that issued them.
      await nextTask();
      if (this.#closed || !this.#isWanted()) break;
      const operations = this.#takeBatch();
      const release = this.#takeRelease(operations);
      const batch = this.#withLooks(operations, release?.transition.to === "suspend");
      if (batch.length === 0 && !release && this.#lookers.length === 0) continue;
      const lookers = this.#lookers.length;
      const result = await this.#commit(batch, release?.transition ?? null);
      if (!result) return;
      this.#endLooks(lookers);
      if (result.state === "held" && result.results.some((it) => "deferred" in it)) {
        // The answer had no room for everything that the waits had found. The next commit looks at
        // the open waits again, in the order of their positions.
        this.#lookers.push(() => {});
        this.#release ??= release;
      } else {
        release?.settle(result.state === "released");
      }
    }
    this.#flushing = false;
  }

  /**
   * Called when the value of an operation was checked. Until then the operation delays those behind
   * it. It does not delay looks or renewals.
   */
  #prepared(operation: PendingOperation, action: EffectOrWait | void): void {
    if (action) operation.action = action;
    else this.#queue.splice(this.#queue.indexOf(operation), 1);
    this.#flush();
  }

  #isWanted(): boolean {
    const [first] = this.#queue;
    if (this.#lookers.length > 0) return true;
    return first ? isReady(first) : this.#release !== undefined;
  }

  /** Takes the next operations off the queue, in order, as many as one request may carry. */
  #takeBatch(): PendingOperation<EffectOrWait>[] {
    const batch: PendingOperation<EffectOrWait>[] = [];
    for (let [values, names] = [0, 0]; batch.length < MAX_OPERATIONS;) {
      const [operation] = this.#queue;
      if (!operation || !isReady(operation)) break;
      values += this.#bytesOf(valueOf(operation.action));
      names += this.#bytesOf(namesOf(operation.label, operation.action));
      // An operation that exceeds the limit by itself gets its own commit. It fits into a request,
      // because its size was checked when it was encoded.
      if (Math.max(values, names) > this.#maxBytes && batch.length > 0) break;
      this.#queue.shift();
      batch.push(operation);
    }
    return batch;
  }

  /** The most bytes of values in a commit, and the most bytes of names. */
  get #maxBytes(): number {
    return Math.min(this.#options.driver.limits?.requestBytes ?? Infinity, MAX_BYTES);
  }

  /** The bytes that a value or a name takes on its way to the store. */
  #bytesOf(text: string): number {
    return text === "" ? 0 : this.#options.driver.limits?.bytesOf(text) ?? text.length;
  }

  /**
   * Takes the requested release if no operation is queued before it and this commit has room for
   * it.
   */
  #takeRelease(operations: readonly PendingOperation<EffectOrWait>[]): Release | undefined {
    const release = this.#release;
    if (!release || this.#queue.length > 0) return undefined;
    const texts = [...operations.map(({ action }) => valueOf(action)), valueLeft(release.transition)];
    if (operations.length > 0 && texts.reduce((sum, text) => sum + this.#bytesOf(text), 0) > this.#maxBytes) {
      return undefined;
    }
    this.#release = undefined;
    if (release.allowed()) return release;
    release.settle(false);
    return undefined;
  }

  /**
   * Returns the operations, preceded by the open waits if those need a look. A commit with a new
   * `recv` also looks at the open waits, so that the new one does not overtake an earlier `recv` of
   * the same topic.
   */
  #withLooks(operations: PendingOperation<EffectOrWait>[], suspending: boolean): PendingOperation<EffectOrWait>[] {
    const needed = suspending || this.#lookers.length > 0 || operations.some(({ action }) => action.type === "receive");
    const open = needed ? [...this.#waits.values()].sort((a, b) => a.position! - b.position!) : [];
    for (const operation of operations) if (isWait(operation.action)) this.#waits.set(operation.position!, operation);
    return [...open, ...operations];
  }

  async #commit(
    batch: PendingOperation<EffectOrWait>[],
    transition: Transition | null,
  ): Promise<Committed | undefined> {
    const { workflowId, epoch, owner, leaseMs, onCommit, onGone } = this.#options;
    const operations = batch.map(({ position, label, action }): Operation => ({ position, label, ...action }));
    const request: CommitRequest = {
      workflowId,
      epoch,
      owner,
      number: ++this.#number,
      leaseMs,
      operations,
      transition,
    };
    this.#stopRenewal();
    const result = await this.#send(request);
    if (this.#closed) return undefined;
    this.#renewedAt = this.#options.clock.now();
    if (result.state === "lost" || result.state === "cancelled") {
      this.close();
      onGone(result.state);
      return undefined;
    }
    if (result.state === "released") this.close();
    else this.#renewLater();
    onCommit({ now: result.now, woken: result.woken, touched: touchedBy(request) });
    batch.forEach((operation, index) => this.#handOut(operation, result.results[index]!));
    return result;
  }

  /** Retries a commit while the lease may still be valid, so a short outage does not end the run. */
  async #send(request: CommitRequest): Promise<CommitResult> {
    const { driver, clock, leaseMs } = this.#options;
    for (;;) {
      try {
        return await driver.commit(request);
      } catch (error) {
        const mayPass = error instanceof DriverError && error.retryable;
        if (this.#closed || !mayPass || clock.now() - this.#renewedAt >= leaseMs) throw error;
        await delay(clock, REPEAT_MS, this.#closing.signal);
        if (this.#closed) throw error;
      }
    }
  }

  #handOut(operation: PendingOperation<EffectOrWait>, result: OperationResult): void {
    if ("outcome" in result && operation.position !== null) this.#waits.delete(operation.position);
    operation.onResult(result);
  }

  /** Settles the looks that were requested first. */
  #endLooks(count = this.#lookers.length): void {
    for (const looked of this.#lookers.splice(0, count)) looked();
  }

  /** Renews the lease after a third of its length, so one lost renewal does no harm. */
  #renewLater(): void {
    const { clock, leaseMs } = this.#options;
    this.#stopRenewal = clock.after(leaseMs / 3, () => void this.look());
  }
}

function isReady(operation: PendingOperation): operation is PendingOperation<EffectOrWait> {
  return !(operation.action instanceof Promise);
}

/**
 * The targets whose watchers should look again after a commit. A look or a renewal alone changes
 * nothing.
 */
function touchedBy({ workflowId, operations, transition }: CommitRequest): WatchTarget[] {
  const touched = new Set<WatchTarget>();
  if (transition) touched.add(`outbox:${workflowId}`);
  for (const operation of operations) {
    if (operation.type === "setEvent" || operation.type === "writeStream" || operation.type === "closeStream") {
      touched.add(`outbox:${workflowId}`);
    }
    if (operation.type === "send") touched.add(`inbox:${operation.message.destinationId}`);
  }
  return [...touched];
}
