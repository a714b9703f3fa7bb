/**
 * A manual clock for a store that takes its time.
 *
 * @module
 */

import { ManualClock } from "../../testing/mod.ts";

/**
 * A clock that stands still while something is under way: whatever a timer sets off is over before the next one fires. A plain
 * {@linkcode ManualClock} gives it a few tasks, which is enough for a store in this process.
 * One advance has to be over before the next.
 */
export class SettlingClock extends ManualClock {
  readonly #settled: () => Promise<void>;
  readonly #timers: Set<{ due: number }> = new Set();
  #passed = 0;

  /** Makes one that waits for `settled` before and after each timer. */
  constructor(settled: () => Promise<void>) {
    super();
    this.#settled = settled;
  }

  override after(ms: number, run: () => void): () => void {
    const timer = { due: this.#passed + Math.max(0, ms) };
    this.#timers.add(timer);
    const disarm = super.after(ms, run);
    return () => {
      this.#timers.delete(timer);
      disarm();
    };
  }

  override async advance(ms: number): Promise<void> {
    const until = this.#passed + ms;
    await this.#settled();
    do {
      const next = Math.min(until, this.#nextDue());
      const step = next - this.#passed;
      this.#passed = next;
      await super.advance(step);
      await this.#settled();
    } while (this.#passed < until);
  }

  /** When the next timer is due, in whole milliseconds; never now. */
  #nextDue(): number {
    let next = Infinity;
    for (const timer of this.#timers) {
      const due = Math.ceil(timer.due);
      if (due > this.#passed) next = Math.min(next, due);
      else this.#timers.delete(timer);
    }
    return next;
  }
}
