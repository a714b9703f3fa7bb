/**
 * A clock that tests move by hand.
 *
 * @module
 */

import { type Clock, nextTask } from "../core/time/clock.ts";

/**
 * How many tasks the work that a timer started may take: an await or two on a store in memory, and
 * the work after them.
 */
const TASKS_TO_SETTLE = 5;

/**
 * Options of {@linkcode ManualClock}.
 *
 * @category Tools
 */
export interface ManualClockOptions {
  /**
   * Waits for the work that is under way, such as requests to a store. The clock awaits it before
   * and after each timer, so that the requests of one timer have their answers before the next
   * timer fires. By default the clock waits for a few tasks, which is enough for a store in this
   * process.
   */
  settled?: () => Promise<unknown>;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
  readonly background: boolean;
}

/**
 * A clock that stands still until a test moves it.
 *
 * Timers run on elapsed time, like those of a real runtime. {@linkcode ManualClock.set} changes the
 * time shown, like a correction of a wall clock, and fires no timer.
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
   * @param start The first time that it shows, in epoch milliseconds. The default is
   * 2025-01-01T00:00:00Z.
   * @param options `settled`: the work to wait for around each timer, for a store outside of this
   * process.
   *
   * @example Fire the next timer only after the requests of the last one have their answers
   * ```ts
   * import { ManualClock } from "@parley/parley/testing";
   * import assert from "node:assert/strict";
   *
   * const requests = new Set<Promise<void>>();
   * const clock = new ManualClock(undefined, { settled: () => Promise.all(requests) });
   * const log: string[] = [];
   * const request = async () => {
   *   await new Promise((resolve) => setTimeout(resolve, 5));
   *   log.push("answer");
   * };
   * clock.after(10, () => requests.add(request()));
   * clock.after(20, () => log.push("next"));
   * await clock.advance(20);
   * assert.deepEqual(log, ["answer", "next"]);
   * ```
   */
  constructor(start: number = Date.UTC(2025, 0, 1), { settled = () => Promise.resolve() }: ManualClockOptions = {}) {
    this.#offset = start;
    this.#settled = settled;
  }

  /**
   * How many armed timers would keep a process alive. A test that expects no leftover timer
   * compares it with 0.
   */
  get pending(): number {
    return [...this.#timers].filter(({ background }) => !background).length;
  }

  /** The time at which the next timer fires, in epoch milliseconds; `Infinity` without one. */
  get next(): number {
    return Math.max(this.#passed, this.#next(Infinity)?.at ?? Infinity) + this.#offset;
  }

  /** The time that the clock shows, in epoch milliseconds. */
  now(): number {
    return this.#offset + this.#passed;
  }

  /**
   * Arms a timer.
   *
   * @param ms The delay in milliseconds. A timer of 0 or less fires at the next {@linkcode
   * ManualClock.advance}, even one by 0.
   * @param run The function to call once.
   * @param options `background`: the timer does not count as {@linkcode ManualClock.pending}.
   * @returns A function that disarms the timer.
   */
  after(ms: number, run: () => void, { background = false }: { background?: boolean } = {}): () => void {
    const timer: Timer = { at: this.#passed + Math.max(0, ms), run, background };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /**
   * Lets time pass. Timers that become due fire in order, each at its own time. Timers of the same
   * time fire in the order in which they were armed. A timer that another one arms within this span
   * fires too. After each timer, the clock gives its work a few tasks to settle, and awaits the
   * option `settled`.
   *
   * @param ms How many milliseconds, 0 or more.
   * @throws {RangeError} If `ms` is negative or not finite. Use {@linkcode ManualClock.set} to move
   * the time backwards.
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
   * Sets the time without letting any pass. No timer fires, and each keeps its remaining time.
   *
   * @param ms The new time in epoch milliseconds, earlier or later than before.
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
