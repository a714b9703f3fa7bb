/**
 * The results that commits return for one operation.
 *
 * @module
 */

import type { OperationResult, Outcome } from "../../driver/driver.ts";

/** What the results of an operation do to its run. */
export interface OperationResultsOptions {
  /** Called with 1 when the operation is under way, and with -1 when it is open or has its outcome. */
  onBusy(change: 1 | -1): void;
  /** Called once, with the outcome. */
  onOutcome(outcome: Outcome): void;
  /** Called with the time that an open wait has left. */
  onWait(remainingMs: number | null, isFirst: boolean): void;
}

/** Follows one operation from the queue to its outcome. At first it is under way. */
export class OperationResults {
  readonly #options: OperationResultsOptions;
  #state: "busy" | "open" | "withdrawn" | "done" = "busy";
  #onDone = () => {};

  constructor(options: OperationResultsOptions) {
    this.#options = options;
  }

  /** Takes a result. Results after the outcome are repeats of it. */
  add(result: OperationResult): void {
    if ("deferred" in result || this.#state === "done") return;
    const isFirst = this.#state === "busy";
    if ("outcome" in result) {
      if (this.#state !== "open") this.#options.onBusy(-1);
      this.#state = "done";
      this.#onDone();
      return this.#options.onOutcome(result.outcome);
    }
    // Of a look that was under way when the wait was withdrawn.
    if (this.#state === "withdrawn") return;
    if (isFirst) this.#options.onBusy(-1);
    this.#state = "open";
    this.#options.onWait(result.remainingMs, isFirst);
  }

  /** Makes the operation one that is under way, until its outcome comes. Returns `false` if it has one. */
  withdraw(): boolean {
    if (this.#state === "done") return false;
    if (this.#state === "open") this.#options.onBusy(1);
    this.#state = "withdrawn";
    return true;
  }

  /** Calls a function before the outcome is handed on. */
  onDone(run: () => void): void {
    this.#onDone = run;
  }
}
