/**
 * Detects a cancel early while a step is in flight.
 *
 * @module
 */

import type { Watch } from "../../driver/driver.ts";
import type { WaitHost } from "../../time/waiter.ts";

/** How long a step must be in flight before the run subscribes. Most steps are over sooner. */
const WATCH_AFTER_MS = 1_000;
/**
 * The shortest time between two looks. A message gives the same hint as a cancel, so a workflow
 * that gets many messages would look too often.
 */
const MIN_LOOK_INTERVAL_MS = 1_000;

/**
 * Looks in the store when the driver gives a hint, because another isolate may have cancelled the
 * workflow. Without push, only the run's next commit, such as a renewal of the lease, finds that
 * cancel.
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

  /** Called when a step begins, or continues after a pause. */
  begin(): void {
    if (++this.#steps === 1 && this.#host.driver.watch) this.#after(WATCH_AFTER_MS, () => this.#open());
  }

  /** Called when a step ends, or begins a pause. */
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
    // A change before the subscription gives no hint, so the run looks once. If the driver has to
    // connect, it gives a hint itself once it has connected.
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
