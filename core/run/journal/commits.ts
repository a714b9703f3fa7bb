/**
 * Writes the operations of one run to the store. One commit is under way at a time. The next one
 * carries the operations that the code issued meanwhile.
 *
 * @module
 */

import { type Clock, delay, nextTask } from "../../time/clock.ts";
import type {
  CommitRequest,
  CommitResult,
  Committed,
  Driver,
  Operation,
  OperationResult,
  Outcome,
  Transition,
  WatchTarget,
} from "../../driver/driver.ts";
import { DriverError } from "../../errors.ts";
import type { LocalEvents } from "../../read/local_events.ts";
import type { LocalStreams } from "../../read/local_streams.ts";
import { LazyAbort } from "../../time/lazy_abort.ts";
import { CommitQueue } from "./commit_queue.ts";
import type { RunObservation } from "../../observe/run_observation.ts";
import { isWait } from "../../driver/operations.ts";
import type { EffectOrWait, PendingOperation } from "./operation.ts";
import type { End } from "../host.ts";
import { statusTargets } from "../../time/subscriptions.ts";

/** The pause before a commit is sent again after all retries of the driver call have failed. */
const REPEAT_MS = 1_000;
/**
 * How long a wait for the result puts off its looks. It does so while the commit that ends the
 * workflow has no answer.
 */
const END_MS = 1_000;

/** The identity of the run, and its callbacks. */
export interface CommitsOptions {
  driver: Driver;
  clock: Clock;
  workflowId: string;
  epoch: number;
  owner: string;
  leaseMs: number;
  /** Tells the observer, if there is one. */
  observed?: RunObservation | undefined;
  /** Called before a commit that begins waits, which {@linkcode Commits.waits} already contains. */
  onWait(): void;
  /** Tells the readers of this isolate what the commits write to streams. */
  streams?: LocalStreams;
  /** Tells the waits of this isolate what events the commits set. */
  events?: LocalEvents;
  /**
   * Called after each commit that passed the fence. `now` is the store's time, `woken` has the
   * workflows to wake, and `touched` the targets that may have changed.
   */
  onCommit(result: { now: number; woken: string[]; touched: WatchTarget[] }): void;
  /**
   * Called before a commit that ends the workflow. The returned function is called once that commit
   * has succeeded.
   */
  onEnding?(end: End): () => void;
  /** Called when the lease is gone. Nothing can be written any more. */
  onGone(state: "lost" | "cancelled"): void;
  /** Called when a commit has failed for good, for example because the store cannot be reached. */
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
  readonly #queue: CommitQueue;
  /**
   * The open waits, by position. They are recorded as begun, or are about to be, and have no
   * outcome.
   */
  readonly #waits = new Map<number, PendingOperation<EffectOrWait>>();
  #lookers: (() => void)[] = [];
  #release: Release | undefined;
  #number = 0;
  #flushing = false;
  #closed = false;
  readonly #closing = new LazyAbort();
  #stopRenewal = () => {};
  /**
   * When the store last answered a commit, by this isolate's clock; at first, when the run began.
   */
  #renewedAt: number;
  /** When the commit that ends the workflow was sent. */
  #endSentAt = -Infinity;

  /**
   * @param options The identity of the run, and its callbacks.
   */
  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#queue = new CommitQueue(options.driver);
    this.#renewedAt = options.clock.now();
    this.#renewLater();
  }

  /** The open waits. */
  get waits(): ReadonlyMap<number, { action: EffectOrWait }> {
    return this.#waits;
  }

  /** Whether nothing is sent any more, because the run lost or released its lease, or failed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** When a commit last renewed the lease, by this isolate's clock. */
  get renewedAt(): number {
    return this.#renewedAt;
  }

  /** Whether a commit that ends the workflow was sent a short time ago, and has no answer yet. */
  get ending(): boolean {
    return !this.#closed && this.#options.clock.now() - this.#endSentAt < END_MS;
  }

  /** Queues an operation. */
  push(operation: PendingOperation): void {
    this.#queue.push(operation, () => this.#flush());
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
   * Records an outcome for a wait that is no longer wanted. Only a look that is under way may still
   * find another one.
   */
  withdraw(operation: PendingOperation, outcome: Outcome): void {
    this.forget(operation.position!);
    const action: EffectOrWait = { type: "record", outcome };
    if (this.#queue.has(operation)) operation.action = action;
    else this.push({ ...operation, action });
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
   * @param transition How the run releases the workflow. A suspend also looks at all open waits,
   * and is refused if one of them has an outcome.
   * @param allowed Called right before the write. If it returns `false`, the workflow is kept.
   * @returns Whether the workflow was released. The promise never settles if the run can no longer
   * write.
   */
  release(transition: Transition, allowed: () => boolean = () => true): Promise<boolean> {
    return new Promise((settle) => {
      this.#release = { transition, allowed, settle };
      this.#flush();
    });
  }

  /** Drops all queued operations. */
  drop(): void {
    this.#queue.clear();
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true;
    this.#closing.abort(() => undefined);
    this.#options.streams?.lose();
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
      const operations = this.#queue.take();
      const release = this.#takeRelease(operations);
      const isNew = release?.transition.to === "continueAsNew";
      const batch = isNew ? [] : this.#withLooks(operations, release?.transition.to === "suspend");
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

  #isWanted(): boolean {
    if (this.#lookers.length > 0) return true;
    return this.#queue.isEmpty ? this.#release !== undefined : this.#queue.isReady;
  }

  /**
   * Takes the requested release if no operation is queued before it and this commit has room for
   * it.
   */
  #takeRelease(operations: readonly PendingOperation<EffectOrWait>[]): Release | undefined {
    const release = this.#release;
    if (!release || !this.#queue.isEmpty || !this.#queue.hasRoom(operations, release.transition)) return undefined;
    if (release.transition.to === "continueAsNew" && operations.length > 0) return undefined;
    this.#release = undefined;
    if (release.allowed()) return release;
    release.settle(false);
    return undefined;
  }

  /**
   * Returns the operations, preceded by the open waits if those need a look. They need one if the
   * commit has a new `recv`, because it must not overtake an earlier `recv`.
   */
  #withLooks(operations: PendingOperation<EffectOrWait>[], suspending: boolean): PendingOperation<EffectOrWait>[] {
    const needed = suspending || this.#lookers.length > 0 || operations.some(({ action }) => action.type === "receive");
    const open = needed ? [...this.#waits.values()].sort((a, b) => a.position! - b.position!) : [];
    const waits = operations.filter(({ action }) => isWait(action));
    for (const wait of waits) this.#waits.set(wait.position!, wait);
    if (waits.length > 0) this.#options.onWait();
    return [...open, ...operations];
  }

  async #commit(
    batch: PendingOperation<EffectOrWait>[],
    transition: Transition | null,
  ): Promise<Committed | undefined> {
    const { workflowId, epoch, owner, leaseMs, onCommit, onGone } = this.#options;
    const now = this.#options.clock.now();
    const operations = batch.map(({ position, label, begunAt = now, action }): Operation => {
      // The clock may have gone back.
      const ageMs = Math.max(0, Math.round(now - begunAt));
      return { position, label, ...(ageMs > 0 && { ageMs }), ...action };
    });
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
    const end = transition?.to === "end" ? transition : undefined;
    if (end) this.#endSentAt = this.#options.clock.now();
    const onEnd = end && this.#options.onEnding?.(end);
    const onEvents = this.#options.events?.send(request);
    this.#options.streams?.send(request);
    const result = await this.#send(request);
    if (this.#closed) return undefined;
    this.#renewedAt = this.#options.clock.now();
    if (result.state === "lost" || result.state === "cancelled") {
      this.close();
      onGone(result.state);
      return undefined;
    }
    this.#options.streams?.confirm(result);
    onEvents?.(result);
    if (result.state === "released") {
      this.close();
      onEnd?.();
    } else this.#renewLater();
    onCommit({ now: result.now, woken: result.woken, touched: touchedBy(request) });
    batch.forEach((operation, index) => this.#handOut(operation, result.results[index]!));
    return result;
  }

  /**
   * Retries a commit while the lease may still be valid, so a short outage does not end the run.
   */
  async #send(request: CommitRequest): Promise<CommitResult> {
    const { driver, clock, leaseMs } = this.#options;
    for (;;) {
      const observed = this.#options.observed?.commit(request);
      try {
        const result = await driver.commit(request);
        observed?.answered(result);
        return result;
      } catch (error) {
        observed?.fail(error);
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

  /** Settles the oldest `count` requested looks, by default all of them. */
  #endLooks(count = this.#lookers.length): void {
    for (const looked of this.#lookers.splice(0, count)) looked();
  }

  /** Renews the lease after a third of its length, so one lost renewal does no harm. */
  #renewLater(): void {
    const { clock, leaseMs } = this.#options;
    this.#stopRenewal = clock.after(leaseMs / 3, () => void this.look());
  }
}

/**
 * The targets whose watchers should look again after a commit. A look, a renewal, a suspend or
 * a hand-over alone changes nothing that others read.
 */
function touchedBy({ workflowId, operations, transition }: CommitRequest): WatchTarget[] {
  const touched = new Set<WatchTarget>(transition?.to === "end" ? statusTargets(workflowId) : []);
  for (const operation of operations) {
    if (operation.type === "setEvent") touched.add(`event:${workflowId}`);
    if (operation.type === "writeStream" || operation.type === "closeStream") touched.add(`stream:${workflowId}`);
    if (operation.type === "send") touched.add(`inbox:${operation.message.destinationId}`);
  }
  return [...touched];
}
