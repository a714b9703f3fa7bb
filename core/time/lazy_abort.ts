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
  #listeners: Set<() => void> | undefined;

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
    for (const run of this.#listeners ?? []) run();
    this.#listeners = undefined;
  }

  /**
   * Calls a function when it aborts, or now if it has aborted. Functions are no listeners of the
   * signal, because Node warns of more than ten of those.
   *
   * @returns A function that takes the call back.
   */
  listen(run: () => void): () => void {
    if (this.aborted) {
      run();
      return () => {};
    }
    this.#listeners = (this.#listeners ?? new Set()).add(run);
    return () => void this.#listeners?.delete(run);
  }

  /** Settles like the promise, but rejects with the reason as soon as this aborts. */
  unlessAborted<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const unlisten = this.listen(() => reject(this.signal.reason));
      promise.then(resolve, reject).finally(unlisten);
    });
  }
}
