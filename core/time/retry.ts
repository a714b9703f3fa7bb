/**
 * Retries calls to the store after a temporary fault. The driver contract lets every call be
 * repeated, so a retry is safe even if the outcome of the first try is unknown.
 *
 * @module
 */

import { type Clock, delay } from "./clock.ts";
import type { Driver } from "../driver/driver.ts";
import { DriverError, ParleyError } from "../errors.ts";

/** The pauses before the retries. Each varies by half its length, up or down. */
const DELAYS_MS = [50, 150, 450, 1_350];

/**
 * Wraps a driver, so that each call retries as {@linkcode attempt} does and every rejection is a
 * `ParleyError`. `onTry` is called before each try.
 */
export function withRetries(driver: Driver, clock: Clock, onTry: () => void = () => {}): Driver {
  return new Proxy(driver, {
    get(_, name) {
      const member = Reflect.get(driver, name);
      if (typeof member !== "function") return member;
      // `watch` makes no request. It returns at once and does not throw.
      if (name === "watch") return member.bind(driver);
      return (...args: unknown[]) => attempt(() => (onTry(), member.apply(driver, args)), clock);
    },
  });
}

/**
 * Makes a call, and retries it up to four times while it rejects with a retryable `DriverError`. If
 * the signal aborts, it stops and rejects with the signal's reason. An error that is not a
 * `ParleyError` becomes the cause of a `DriverError`.
 */
export async function attempt<T>(call: () => Promise<T>, clock: Clock, signal?: AbortSignal): Promise<T> {
  for (let tries = 0;; tries++) {
    try {
      return await call();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof ParleyError)) {
        throw new DriverError("The driver failed in an unexpected way", { retryable: false, cause: error });
      }
      const delayMs = DELAYS_MS[tries];
      if (!(error instanceof DriverError && error.retryable) || delayMs === undefined) throw error;
      await delay(clock, delayMs * (0.5 + Math.random()), signal);
      signal?.throwIfAborted();
    }
  }
}
