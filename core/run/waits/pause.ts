/**
 * The pause between two tries of a step. It is a wait in the store, so another run may make the
 * next try.
 *
 * @module
 */

import type { Clock } from "../../time/clock.ts";
import type { Commits } from "../journal/commits.ts";
import type { EffectOrWait, PendingOperation } from "../journal/operation.ts";
import type { OperationResult } from "../../driver/driver.ts";

/** A pause of a step. */
export interface PauseOptions {
  /** The step's position. */
  position: number;
  /** The step's label. */
  label: string;
  /** When the step began in this run. */
  begunAt: number;
  /** How many tries have failed. */
  attempts: number;
  /** How long the pause lasts, in milliseconds. */
  delayMs: number;
  /** The rest of the pause, in milliseconds, if an earlier run began it. */
  remainingMs?: number;
}

interface PauseHost {
  clock: Clock;
  commits: Commits;
  /**
   * Whether the run is releasing its workflow at the moment. The next try must not begin then,
   * because another run may make it.
   */
  isReleasing(): boolean;
  /** Called when the store has recorded the failed try. */
  onRecorded(): void;
  /** Called when the step begins to wait. */
  onWait(): void;
  /** Called when it is time for the next try. `waited` tells whether `onWait` was called. */
  onEnd(waited: boolean): void;
}

/** A pause. It makes no request of its own while it lasts. */
export class Pause {
  readonly #options: PauseOptions;
  readonly #host: PauseHost;
  #isRecorded = false;
  #isWaiting = false;
  #isElapsed = false;
  #isOver = false;
  #endsAt = Infinity;
  #stopTimer = () => {};

  constructor(options: PauseOptions, host: PauseHost) {
    this.#options = options;
    this.#host = host;
  }

  /** How long the pause still lasts, in milliseconds. */
  get remainingMs(): number {
    return this.#endsAt - this.#host.clock.now();
  }

  /** Writes the pause, unless an earlier run did. */
  begin(): void {
    const { position, label, begunAt, attempts, delayMs, remainingMs } = this.#options;
    const operation: PendingOperation<EffectOrWait> = {
      position,
      label,
      begunAt,
      action: { type: "pause", attempts, timeoutMs: delayMs },
      onResult: (result) => this.#told(result),
    };
    this.#isRecorded = remainingMs !== undefined;
    if (remainingMs === undefined) return this.#host.commits.push(operation);
    this.#host.commits.keep(operation);
    this.#told({ remainingMs });
  }

  /** Ends a pause whose time ran out while the run was releasing its workflow. */
  resume(): void {
    if (this.#isElapsed) this.#elapse();
  }

  /** Stops its timer. */
  stop(): void {
    this.#isOver = true;
    this.#stopTimer();
  }

  #told(result: OperationResult): void {
    if (this.#isOver || !("remainingMs" in result)) return;
    const { clock, onRecorded, onWait } = this.#host;
    if (!this.#isRecorded) onRecorded();
    this.#isRecorded = true;
    this.#stopTimer();
    const remainingMs = result.remainingMs ?? 0;
    this.#endsAt = clock.now() + remainingMs;
    if (remainingMs === 0) return this.#elapse();
    this.#stopTimer = clock.after(remainingMs, () => this.#elapse());
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    onWait();
  }

  #elapse(): void {
    this.#isElapsed = true;
    if (this.#isOver || this.#host.isReleasing()) return;
    this.stop();
    this.#host.commits.forget(this.#options.position);
    this.#host.onEnd(this.#isWaiting);
  }
}
