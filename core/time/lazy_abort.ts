/**
 * An abort whose signal is made when somebody asks for it.
 *
 * @module
 */

/**
 * Works like an `AbortController`. Most runs and time limits end without anybody asking for their
 * signal. In Node 20, signals and the errors of their aborts took 9% of the JavaScript time of a
 * workflow without operations.
 */
export class LazyAbort {
  #controller: AbortController | undefined;
  #reason: (() => unknown) | undefined;

  /** Whether it has aborted. */
  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** The signal. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  /**
   * Aborts. A second call does nothing.
   *
   * @param reason Makes the reason. It is called only if somebody asks for the signal, now or
   * later.
   */
  abort(reason: () => unknown): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason());
  }
}
