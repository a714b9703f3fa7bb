/**
 * The times at which workflows become due and should continue here.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";

/** How many deadlines are kept. They are the nearest ones. */
const MAX_DEADLINES = 1_000;
/**
 * How long after a deadline the timer fires: `MARGIN_MS`, and `MAX_DRIFT` times the length of the
 * wait. The store's clock may run slower than this isolate's, and the deadline must have passed in
 * the store too.
 */
const MARGIN_MS = 1;
const MAX_DRIFT = 1e-4;

/** One timer for the nearest of many deadlines. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #onPassed: (workflowIds: string[]) => void;
  /** The deadlines by workflow, by this isolate's clock. */
  readonly #at = new Map<string, number>();
  #timer: { at: number; stop: () => void } | undefined;

  /**
   * @param clock Measures the time. The timer does not keep a process alive.
   * @param onPassed Gets the workflows whose deadlines have passed.
   */
  constructor(clock: Clock, onPassed: (workflowIds: string[]) => void) {
    this.#clock = clock;
    this.#onPassed = onPassed;
  }

  /**
   * Sets the deadline of a workflow, in milliseconds from now. If there are too many deadlines, the
   * farthest is forgotten.
   */
  set(workflowId: string, ms: number): void {
    this.#at.set(workflowId, this.#clock.now() + Math.ceil(ms * (1 + MAX_DRIFT)) + MARGIN_MS);
    if (this.#at.size > MAX_DEADLINES) this.#at.delete(this.#farthest());
    this.#arm();
  }

  /** Forgets the deadline of a workflow. */
  delete(workflowId: string): void {
    if (this.#at.delete(workflowId) && this.#at.size === 0) this.clear();
  }

  /** Forgets all deadlines. */
  clear(): void {
    this.#at.clear();
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #farthest(): string {
    let farthest: [string, number] = ["", -Infinity];
    for (const entry of this.#at) if (entry[1] > farthest[1]) farthest = entry;
    return farthest[0];
  }

  #arm(): void {
    const at = Math.min(...this.#at.values());
    if (at === Infinity || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.stop();
    const stop = this.#clock.after(at - this.#clock.now(), () => this.#fire(), { background: true });
    this.#timer = { at, stop };
  }

  #fire(): void {
    const passedAt = this.#timer!.at;
    this.#timer = undefined;
    const passed = [...this.#at].filter(([, at]) => at <= passedAt).map(([workflowId]) => workflowId);
    for (const workflowId of passed) this.#at.delete(workflowId);
    this.#arm();
    if (passed.length > 0) this.#onPassed(passed);
  }
}
