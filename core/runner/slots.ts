/**
 * Limits how many workflows run side by side. Only those that are busy count.
 *
 * @module
 */

/** A number of slots. A workflow that only waits in memory frees its slot, and takes one again when it goes on. */
export class Slots {
  readonly #limit: number;
  readonly #onFree: () => void;
  #taken = 0;

  /**
   * Makes it.
   *
   * @param limit How many slots there are.
   * @param onFree Is called when a slot becomes free.
   */
  constructor(limit: number, onFree: () => void) {
    this.#limit = limit;
    this.#onFree = onFree;
  }

  /** How many slots are free. It is 0 while workflows that went on hold more slots than there are. */
  get free(): number {
    return Math.max(0, this.#limit - this.#taken);
  }

  /** Takes a slot. */
  take(): Slot {
    return new Slot((change) => {
      this.#taken += change;
      if (change < 0) this.#onFree();
    });
  }
}

/** The slot of one run. */
export class Slot {
  readonly #change: (change: 1 | -1) => void;
  #held = false;
  #ended = false;

  constructor(change: (change: 1 | -1) => void) {
    this.#change = change;
    this.#hold(true);
  }

  /** The run only waits, or goes on. */
  setWaiting(waiting: boolean): void {
    if (!this.#ended) this.#hold(!waiting);
  }

  /** The run is over. Calling it again does nothing. */
  end(): void {
    this.#ended = true;
    this.#hold(false);
  }

  #hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#change(held ? 1 : -1);
  }
}
