/**
 * Retries calls to the store after a temporary fault. Every call of the driver contract may be
 * repeated. So a retry is safe even if the outcome of the first try is unknown.
 *
 * @module
 */

import { backoffMs } from "./backoff.ts";
import { type Clock, delay } from "./clock.ts";
import type { Driver } from "../driver/driver.ts";
import { DriverError, ParleyError } from "../errors.ts";

/**
 * Pauses before the retries: about 50, 150, 450 and 1,350 ms. They vary by up to a half, because
 * calls often fail together, such as those of a deadlock.
 */
const PAUSES = { firstMs: 50, maxMs: 1_350, factor: 3, spread: 0.5 };
const MAX_RETRIES = 4;

/** Follows the tries of calls. */
interface RequestWatcher {
  /** Makes a try. */
  request<T>(method: string, attempt: number, call: () => Promise<T>): Promise<T>;
}

/**
 * Wraps a driver, so that each call retries as {@linkcode attempt} does and every rejection is a
 * `ParleyError`. `onTry` is called before each try, and `watcher`, if there is one, makes it.
 */
export function withRetries(
  driver: Driver,
  clock: Clock,
  onTry: () => void = () => {},
  watcher?: RequestWatcher,
): Driver {
  // The target is another object, because a proxy must hand out the members of a frozen target as they are.
  return new Proxy({} as Driver, {
    get(_, name) {
      const member = Reflect.get(driver, name);
      if (typeof member !== "function") return member;
      // `watch` needs no retries, because it returns at once and does not throw.
      if (name === "watch") return member.bind(driver);
      return (...args: unknown[]) => {
        let tries = 0;
        const plain = () => member.apply(driver, args);
        const call = name === "delete"
          ? deleting(plain, ({ state }) => state === "not_found", { state: "done" })
          : plain;
        if (!watcher) return attempt(() => (onTry(), call()), clock);
        return attempt(() => (onTry(), watcher.request(String(name), ++tries, async () => await call())), clock);
      };
    },
  });
}

/**
 * The tries of a delete. If a later try finds no workflow, an earlier one has deleted it, and its
 * answer was lost.
 *
 * @param call Makes a try.
 * @param isGone Whether an answer says that there is no workflow.
 * @param done The answer of a delete that has deleted.
 */
export function deleting<Answer>(
  call: () => Promise<Answer>,
  isGone: (answer: Answer) => boolean,
  done: Answer,
): () => Promise<Answer> {
  let tries = 0;
  return async () => {
    const isRepeat = tries++ > 0;
    const answer = await call();
    return isRepeat && isGone(answer) ? done : answer;
  };
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
      if (!(error instanceof DriverError && error.retryable) || tries === MAX_RETRIES) throw error;
      await delay(clock, backoffMs(tries, PAUSES), signal);
      signal?.throwIfAborted();
    }
  }
}
