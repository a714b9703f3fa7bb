/**
 * How much time a run has.
 *
 * @module
 */

import type { RunHost } from "./host.ts";
import type { Journal } from "./journal/journal.ts";
import { MAX_REST_MS } from "./parking.ts";

/** The budget of a run, and the time for which it stays in memory while it only waits. */
export class RunTime {
  readonly #host: RunHost;
  readonly #journal: Journal;
  readonly #hasProgress: () => boolean;
  readonly #startedAt: number;
  /** The time since which the code rests in the middle of its replay. */
  #restingSince: number | undefined;
  #stopIdleTimer: (() => void) | undefined;
  #stopBudgetTimer: () => void = () => {};

  /**
   * @param host The limits, and the clock.
   * @param journal The run's journal.
   * @param hasProgress Whether the run has recorded an outcome or a failed try.
   */
  constructor(host: RunHost, journal: Journal, hasProgress: () => boolean) {
    this.#host = host;
    this.#journal = journal;
    this.#hasProgress = hasProgress;
    this.#startedAt = host.clock.now();
  }

  /** Begins to measure the budget. `onSpent` is called when it is used up. */
  begin(onSpent: () => void): void {
    const { budgetMs, clock } = this.#host;
    if (budgetMs < Infinity) this.#stopBudgetTimer = clock.after(budgetMs, onSpent);
  }

  /**
   * Whether new operations are left to the next run. A run whose time is used up begins at least
   * one, because hand-overs without progress would never end.
   */
  get isHandingOver(): boolean {
    return this.#host.closed.aborted || (this.#hasProgress() && this.#isSpent);
  }

  /** Whether the run has used up its time, or the isolate its requests. */
  get #isSpent(): boolean {
    return this.#host.spent.aborted || this.#host.clock.now() - this.#startedAt >= this.#host.budgetMs;
  }

  /**
   * How long a run that only waits stays in memory. While recorded entries are left, the code may
   * be awaiting something other than an operation.
   */
  idleMs(): number {
    if (this.isHandingOver) return 0;
    if (!this.#journal.hasUnasked) return this.#isSpent ? 0 : this.#host.hotWaitMs;
    const now = this.#host.clock.now();
    this.#restingSince ??= now;
    return this.#restingSince + Math.max(MAX_REST_MS, this.#host.hotWaitMs) - now;
  }

  /** Calls `onOver` in `ms` milliseconds, unless the run continues before. */
  idle(ms: number, onOver: () => void): void {
    this.#stopIdleTimer ??= this.#host.clock.after(ms, onOver);
  }

  /** Notes that the run continues. */
  goOn(): void {
    this.stopIdle();
    this.#restingSince = undefined;
  }

  /** Notes that the code has got an outcome, after which it may no longer rest. */
  delivered(): void {
    if (this.#restingSince !== undefined) this.goOn();
  }

  /** Stops the timer of {@linkcode idle}. */
  stopIdle(): void {
    this.#stopIdleTimer?.();
    this.#stopIdleTimer = undefined;
  }

  /** Stops all timers. */
  stop(): void {
    this.stopIdle();
    this.#stopBudgetTimer();
  }
}
