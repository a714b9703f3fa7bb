/**
 * A limit on the workflows that run side by side. Only busy workflows count.
 *
 * @module
 */

/**
 * A fixed number of slots. A workflow that only waits in memory frees its slot. It takes the slot
 * again when it continues, even if no slot is free.
 */
export class Slots {
  readonly #limit: number;
  readonly #onFree: () => void;
  #taken = 0;

  /**
   * @param limit The number of slots.
   * @param onFree Called when a slot becomes free.
   */
  constructor(limit: number, onFree: () => void) {
    this.#limit = limit;
    this.#onFree = onFree;
  }

  /**
   * The number of free slots. It is 0, and not negative, while workflows that continued hold more
   * slots than the limit.
   */
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

  /** Notes whether the run only waits in memory. */
  setWaiting(waiting: boolean): void {
    if (!this.#ended) this.#hold(!waiting);
  }

  /** Ends the use of the slot. A second call does nothing. */
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
