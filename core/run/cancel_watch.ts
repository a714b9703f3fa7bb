/**
 * Finds out early that a workflow was cancelled while one of its steps is in flight.
 *
 * @module
 */

import type { Watch } from "../driver/driver.ts";
import type { WaitHost } from "../time/wait.ts";

/** How long a step must have been in flight: most are over sooner, and need no subscription. */
const WATCH_AFTER_MS = 1_000;
/** How far looks are apart at least. A message for the workflow gives the same hint as a cancel. */
const MIN_LOOK_INTERVAL_MS = 1_000;

/** Looks on a hint from another isolate. Without push the renewals of the lease find a cancel. */
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
   * Makes it.
   *
   * @param host Where hints come from.
   * @param workflowId The workflow.
   * @param look Asks the store whether the workflow was cancelled.
   */
  constructor(host: WaitHost, workflowId: string, look: () => void) {
    this.#host = host;
    this.#workflowId = workflowId;
    this.#look = look;
  }

  /** A step is in flight. */
  begin(): void {
    if (++this.#steps === 1 && this.#host.driver.watch) this.#after(WATCH_AFTER_MS, () => this.#open());
  }

  /** A step is not in flight any more. */
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
    // What came before gives no hint any more, unless the driver connects first.
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
