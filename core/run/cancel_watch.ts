/**
 * Detects a cancel early while a step is in flight.
 *
 * @module
 */

import type { Watch } from "../driver/driver.ts";
import type { WaitHost } from "../time/wait.ts";

/** How long a step must be in flight before the run subscribes. Most steps are over sooner. */
const WATCH_AFTER_MS = 1_000;
/**
 * The shortest time between two looks. It limits the looks of a workflow that gets many messages,
 * because a message gives the same hint as a cancel.
 */
const MIN_LOOK_INTERVAL_MS = 1_000;

/**
 * Looks in the store when another isolate gives a hint. Without push, only the lease's renewals
 * find a cancel.
 */
export class CancelWatch {
  readonly #host: WaitHost;
  readonly #workflowId: string;
  readonly #look: () => void;
  #steps = 0;
  #watch: Watch | undefined;
  #stopTimer = () => {};
  #resting = false;
  #hinted = false;

  /**
   * @param host Gives the hints.
   * @param workflowId The workflow.
   * @param look Asks the store whether the workflow was cancelled.
   */
  constructor(host: WaitHost, workflowId: string, look: () => void) {
    this.#host = host;
    this.#workflowId = workflowId;
    this.#look = look;
  }

  /** A step has begun. */
  begin(): void {
    if (++this.#steps === 1 && this.#host.driver.watch) this.#after(WATCH_AFTER_MS, () => this.#open());
  }

  /** A step has ended. */
  end(): void {
    if (--this.#steps === 0) this.stop();
  }

  /** Ends the subscription. */
  stop(): void {
    this.#stopTimer();
    this.#watch?.close();
    this.#watch = undefined;
    this.#resting = this.#hinted = false;
  }

  #open(): void {
    this.#watch = this.#host.driver.watch!(`inbox:${this.#workflowId}`, () => this.#onHint());
    // A change before the subscription gives no hint, so the run looks once. A driver that must
    // connect first gives a hint itself when it has connected.
    if (this.#watch.live) this.#onHint();
  }

  #onHint(): void {
    this.#hinted = true;
    if (this.#resting) return;
    this.#hinted = false;
    this.#resting = true;
    this.#after(MIN_LOOK_INTERVAL_MS, () => {
      this.#resting = false;
      if (this.#hinted) this.#onHint();
    });
    this.#look();
  }

  #after(ms: number, run: () => void): void {
    this.#stopTimer = this.#host.clock.after(ms, run);
  }
}
