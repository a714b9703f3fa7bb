/**
 * Time limits for calls that have none of their own.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { LazyAbort } from "./lazy_abort.ts";

/** The time limit of a call. */
export interface TimeLimit {
  /** The limit in milliseconds. `Infinity` is no limit. */
  readonly ms: number;
  readonly clock: Clock;
  /** A signal that ends the wait early. */
  readonly stop?: AbortSignal | undefined;
  /** Makes the error for a call whose time is up, or whose wait was stopped. */
  readonly error: (reason: "timeout" | "stopped") => unknown;
}

/**
 * Makes a call, and rejects when its time is up or `stop` aborts. It leaves neither a timer nor a
 * listener behind.
 *
 * The call itself may go on. If it settles later, its result or its rejection is dropped.
 *
 * @param limit The limit.
 * @param call The call. The signal that it gets aborts if the call is given up.
 * @throws The error of the limit, or whatever the call throws.
 */
export async function withTimeLimit<T>(
  { ms, clock, stop, error }: TimeLimit,
  call: (limit: { readonly signal: AbortSignal }) => T | PromiseLike<T>,
): Promise<T> {
  if (stop?.aborted) throw error("stopped");
  const end = new LazyAbort();
  let giveUp!: (reason: unknown) => void;
  const given = new Promise<never>((_, reject) => giveUp = reject);
  const over = (why: "timeout" | "stopped") => {
    const reason = error(why);
    end.abort(() => reason);
    giveUp(reason);
  };
  const onStop = () => over("stopped");
  const stopTimer = ms < Infinity ? clock.after(ms, () => over("timeout")) : () => {};
  stop?.addEventListener("abort", onStop);
  try {
    return await Promise.race([call(end), given]);
  } finally {
    stopTimer();
    stop?.removeEventListener("abort", onStop);
  }
}
