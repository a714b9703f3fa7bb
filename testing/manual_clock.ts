/**
 * A clock that tests move by hand.
 *
 * @module
 */

import { type Clock, nextTask } from "../core/time/clock.ts";

/** How many tasks are given to what a timer started: an await or two on a store in memory, and what follows them. */
const TASKS_TO_SETTLE = 5;

/**
 * Options of {@linkcode ManualClock}.
 *
 * @category Tools
 */
export interface ManualClockOptions {
  /**
   * Waits until what is under way is over, as requests to a store are. It is awaited before each timer and after it, so that whatever one sets off has
   * its answers before the next one fires. Default: nothing is waited for but a few tasks, which is enough for a store in this process.
   */
  settled?: () => Promise<unknown>;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
  readonly background: boolean;
}

/**
 * A clock that stands still until it is moved.
 *
 * Timers run on time that has passed, as those of a real runtime do: {@linkcode ManualClock.set} changes what time it is, as when a wall clock is
 * corrected, and fires none.
 *
 * @example Fire a timer without waiting for it
 * ```ts
 * import { ManualClock } from "@parley/parley/testing";
 * import assert from "node:assert/strict";
 *
 * const clock = new ManualClock();
 * let fired = false;
 * clock.after(60_000, () => fired = true);
 * await clock.advance(59_999);
 * assert.equal(fired, false);
 * await clock.advance(1);
 * assert.equal(fired, true);
 * ```
 *
 * @category Tools
 */
export class ManualClock implements Clock {
  #passed = 0;
  #offset: number;
  readonly #settled: () => Promise<unknown>;
  readonly #timers: Set<Timer> = new Set();

  /**
   * Makes a clock that stands still.
   *
   * @param start The first time it shows, in epoch milliseconds; 2025-01-01T00:00:00Z otherwise.
   * @param options `settled`: what to wait for around each timer, for a store that takes its time.
   *
   * @example Fire the next timer only when what the last one asked of a store has been answered
   * ```ts
   * import { ManualClock } from "@parley/parley/testing";
   * import assert from "node:assert/strict";
   *
   * const requests = new Set<Promise<void>>();
   * const clock = new ManualClock(undefined, { settled: () => Promise.all(requests) });
   * const log: string[] = [];
   * clock.after(10, () => requests.add(new Promise((resolve) => setTimeout(resolve, 5)).then(() => void log.push("answer"))));
   * clock.after(20, () => log.push("next"));
   * await clock.advance(20);
   * assert.deepEqual(log, ["answer", "next"]);
   * ```
   */
  constructor(start: number = Date.UTC(2025, 0, 1), { settled = () => Promise.resolve() }: ManualClockOptions = {}) {
    this.#offset = start;
    this.#settled = settled;
  }

  /** How many timers are armed that would keep a process alive. A test that expects none left behind compares it with 0. */
  get pending(): number {
    return [...this.#timers].filter(({ background }) => !background).length;
  }

  /** The time it shows, in epoch milliseconds. */
  now(): number {
    return this.#offset + this.#passed;
  }

  /**
   * Arms a timer.
   *
   * @param ms In how many milliseconds; 0 or less: at the next {@linkcode ManualClock.advance}, also one by 0.
   * @param run What to call, once.
   * @param options `background`: it does not count as {@linkcode ManualClock.pending}.
   * @returns Disarms the timer.
   */
  after(ms: number, run: () => void, { background = false }: { background?: boolean } = {}): () => void {
    const timer: Timer = { at: this.#passed + Math.max(0, ms), run, background };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /**
   * Lets time pass. Timers that become due fire in order of time, each at its own time, those of one time in the order
   * in which they were armed; what one of them arms within this span fires too. After each the work it started gets a few tasks to settle, and what the
   * options say is waited for.
   *
   * @param ms How many milliseconds, 0 or more.
   * @throws {RangeError} If `ms` is negative or not finite: {@linkcode ManualClock.set} moves the time backwards.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) {
      throw new RangeError(`Advancing the clock by ${ms} ms: it must be 0 or more`);
    }
    const until = this.#passed + ms;
    await this.#settle();
    for (let timer = this.#next(until); timer; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#passed = Math.max(this.#passed, timer.at);
      timer.run();
      await this.#settle();
    }
    this.#passed = Math.max(this.#passed, until);
    await this.#settle();
  }

  /**
   * Sets the time without letting any pass: no timer fires, and each still has as long to go as before.
   *
   * @param ms The new time in epoch milliseconds, earlier or later than it was.
   *
   * @example Correct the wall clock backwards
   * ```ts
   * import { ManualClock } from "@parley/parley/testing";
   * import assert from "node:assert/strict";
   *
   * const clock = new ManualClock(5_000);
   * let fired = false;
   * clock.after(100, () => fired = true);
   * clock.set(1_000);
   * assert.equal(clock.now(), 1_000);
   * await clock.advance(100);
   * assert.deepEqual([fired, clock.now(), clock.pending], [true, 1_100, 0]);
   * ```
   */
  set(ms: number): void {
    this.#offset = ms - this.#passed;
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }

  async #settle(): Promise<void> {
    for (let task = 0; task < TASKS_TO_SETTLE; task++) await nextTask();
    await this.#settled();
  }
}
