/**
 * A time limit for requests.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { withTimeLimit } from "../../time_limit.ts";
import { abortedError, thrownError, timeoutError } from "./failure.ts";

/** When a request is given up. */
export interface Limit {
  /** How long it may take, in milliseconds. */
  readonly ms: number;
  readonly clock: Clock;
  /** Gives it up when it aborts. */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Runs until the time is up or `stop` aborts, whether or not `run` obeys the signal that it is
 * given. Leaves neither timer nor listener behind.
 *
 * @param call The caller, for the message: `Upstash: commit`.
 * @param run Gets a signal that aborts only if the request is given up.
 * @throws {DriverError} If it is given up, or if `run` throws.
 */
export async function within<T>(
  call: string,
  { ms, clock, stop }: Limit,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const error = (reason: "timeout" | "stopped") => reason === "stopped" ? abortedError(call) : timeoutError(call, ms);
  try {
    return await withTimeLimit({ ms, clock, stop, error }, run);
  } catch (error) {
    throw thrownError(call, error);
  }
}
