/**
 * The signals that withdraw open waits.
 *
 * @module
 */

/**
 * Listens to signals, with one listener for each signal, because Node warns of more than ten.
 */
export class Withdrawals {
  readonly #signals = new Map<AbortSignal, { waits: Set<() => void>; stop: () => void }>();

  /**
   * Calls a function when a signal aborts, unless the wait has ended before.
   *
   * @returns A function that ends the wait.
   */
  add(signal: AbortSignal, withdraw: () => void): () => void {
    const listening = this.#signals.get(signal) ?? this.#listen(signal);
    listening.waits.add(withdraw);
    return () => {
      listening.waits.delete(withdraw);
      if (listening.waits.size === 0) listening.stop();
    };
  }

  /** Listens to no signal any more. */
  stop(): void {
    for (const { stop } of [...this.#signals.values()]) stop();
  }

  #listen(signal: AbortSignal): { waits: Set<() => void>; stop: () => void } {
    const waits = new Set<() => void>();
    const onAbort = () => {
      stop();
      for (const withdraw of waits) withdraw();
    };
    const stop = () => {
      signal.removeEventListener("abort", onAbort);
      this.#signals.delete(signal);
    };
    signal.addEventListener("abort", onAbort);
    const listening = { waits, stop };
    this.#signals.set(signal, listening);
    return listening;
  }
}
