/**
 * Calls an observer in such a way that its failures never reach the work that it observes.
 *
 * @module
 */

import type { Clock } from "../time/clock.ts";

/** The calls of one observer. */
export class Guard {
  /** The clock that measures durations. */
  readonly clock: Clock;
  readonly #report: (error: unknown) => void;
  #reported = false;

  /**
   * @param clock Measures durations.
   * @param report Gets the first error of the observer.
   */
  constructor(clock: Clock, report: (error: unknown) => void) {
    this.clock = clock;
    this.#report = report;
  }

  /** Calls the observer. Returns `undefined` if that fails, or if it returns a promise. */
  call<T>(call: () => T): T | undefined {
    try {
      const result = call();
      if (!isPromise(result)) return result;
      result.then(undefined, (error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
    return undefined;
  }

  /** Returns a method of an observer, bound to it; `undefined` if it has none. */
  method<O extends object, Name extends keyof O>(observer: O | undefined, name: Name): O[Name] | undefined {
    return this.call(() => {
      const method = observer?.[name];
      return typeof method === "function" ? method.bind(observer) : undefined;
    });
  }

  /**
   * Runs code in a scope of the observer. Whatever the scope does, the code is called once, and its
   * result is returned.
   */
  within<R>(scope: ((code: () => void) => void) | undefined, code: () => R): R {
    if (!scope) return code();
    let result: { value: R } | { thrown: unknown } | undefined;
    this.call(() =>
      scope(() => {
        if (result) return;
        try {
          result = { value: code() };
        } catch (thrown) {
          result = { thrown };
        }
      })
    );
    // The compiler does not see that the scope may set it.
    const done = result as { value: R } | { thrown: unknown } | undefined;
    if (!done) {
      result = { thrown: undefined };
      return code();
    }
    if ("thrown" in done) throw done.thrown;
    return done.value;
  }

  #fail(error: unknown): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#report(error);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
