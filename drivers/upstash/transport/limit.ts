/**
 * A time limit for what has none.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { withTimeLimit } from "../../time_limit.ts";
import { abortedError, thrownError, timeoutError } from "./failure.ts";

/** When something is given up. */
export interface Limit {
  readonly ms: number;
  readonly clock: Clock;
  readonly stop?: AbortSignal | undefined;
}

/**
 * Runs until the time is up or `stop` aborts, whether or not what runs obeys the signal that it is given, and leaves neither timer nor listener behind.
 *
 * @param call Who calls, for the message.
 * @param run What to run. The signal aborts only if it is given up.
 * @throws {DriverError} If it is given up, or whatever `run` throws.
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
