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
  /** Ends the wait early. */
  readonly stop?: AbortSignal | LazyAbort | undefined;
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
 * @param call The call. The abort that it gets happens if the call is given up.
 * @throws The error of the limit, or whatever the call throws.
 */
export async function withTimeLimit<T>(
  { ms, clock, stop, error }: TimeLimit,
  call: (limit: Pick<LazyAbort, "signal" | "listen" | "unlessAborted">) => T | PromiseLike<T>,
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
  const unlisten = stop ? listen(stop, onStop) : () => {};
  try {
    return await Promise.race([call(end), given]);
  } finally {
    stopTimer();
    unlisten();
  }
}

/** Calls a function at an abort that has not happened yet, until the returned function is called. */
function listen(stop: AbortSignal | LazyAbort, run: () => void): () => void {
  if (stop instanceof LazyAbort) return stop.listen(run);
  stop.addEventListener("abort", run);
  return () => stop.removeEventListener("abort", run);
}
