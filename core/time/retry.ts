/**
 * Repeats calls to the store whose fault may pass. Every call of the driver contract may be repeated, so this is
 * safe also when the outcome of the first is unknown.
 *
 * @module
 */

import { type Clock, delay } from "./clock.ts";
import type { Driver } from "../driver/driver.ts";
import { DriverError, ParleyError } from "../errors.ts";

/** Up to four repeats, about 0.05 + 0.15 + 0.45 + 1.35 s apart. */
const DELAYS_MS = [50, 150, 450, 1_350];

/** The driver, with every call repeated while its fault may pass. What it rejects with is always a `ParleyError`. `onTry` is told of each try. */
export function withRetries(driver: Driver, clock: Clock, onTry: () => void = () => {}): Driver {
  return new Proxy(driver, {
    get(_, name) {
      const member = Reflect.get(driver, name);
      if (typeof member !== "function") return member;
      // Not a call: it returns at once and does not throw.
      if (name === "watch") return member.bind(driver);
      return (...args: unknown[]) => attempt(() => (onTry(), member.apply(driver, args)), clock);
    },
  });
}

/** Makes a call, and repeats it while it rejects with a `DriverError` that is `retryable`. The signal ends the pauses in between. */
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
