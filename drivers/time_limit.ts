/**
 * A time limit for calls that have none.
 *
 * @module
 */

import type { Clock } from "../core/time/clock.ts";
import { deferred } from "../core/time/deferred.ts";

/** How long a call may take. */
export interface TimeLimit {
  /** In milliseconds. */
  readonly ms: number;
  readonly clock: Clock;
  /** Ends the wait early when it aborts. */
  readonly stop?: AbortSignal | undefined;
  /** Makes the error for a call whose time is up, or whose wait was stopped. */
  readonly error: (reason: "timeout" | "stopped") => Error;
}

/**
 * Makes a call, and rejects when its time is up or `stop` aborts. It leaves neither a timer nor a
 * listener behind.
 *
 * The call itself may go on. If it settles later, its result is dropped, and so is its rejection.
 *
 * @param limit The limit.
 * @param call The call. Its signal aborts if the call is given up.
 * @throws The error of the limit, or whatever the call throws.
 */
export async function withTimeLimit<T>(
  limit: TimeLimit,
  call: (signal: AbortSignal) => T | PromiseLike<T>,
): Promise<T> {
  const { ms, clock, stop, error } = limit;
  if (stop?.aborted) throw error("stopped");
  const end = new AbortController();
  const { promise: ended, reject } = deferred<never>();
  const giveUp = (reason: "timeout" | "stopped") => {
    const cause = error(reason);
    reject(cause);
    end.abort(cause);
  };
  const onStop = () => giveUp("stopped");
  const stopTimer = clock.after(ms, () => giveUp("timeout"));
  stop?.addEventListener("abort", onStop);
  try {
    return await Promise.race([call(end.signal), ended]);
  } finally {
    stopTimer();
    stop?.removeEventListener("abort", onStop);
  }
}
