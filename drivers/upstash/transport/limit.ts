/**
 * A time limit for requests.
 *
 * @module
 */

import { type TimeLimit, withTimeLimit } from "../../../core/time/time_limit.ts";
import { abortedError, thrownError, timeoutError } from "./failure.ts";

/**
 * Runs until the time is up or `stop` aborts, whether or not `run` obeys the signal that it is
 * given. Leaves neither timer nor listener behind.
 *
 * @param call The caller, for the message: `Upstash: commit`.
 * @param limit The time limit, and a signal that ends the request early.
 * @param run Gets a signal that aborts only if the request is given up.
 * @throws {DriverError} If it is given up, or if `run` throws.
 */
export async function within<T>(
  call: string,
  limit: Omit<TimeLimit, "error">,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const error = (reason: "timeout" | "stopped") =>
    reason === "stopped" ? abortedError(call) : timeoutError(call, limit.ms);
  try {
    return await withTimeLimit({ ...limit, error }, run);
  } catch (error) {
    throw thrownError(call, error);
  }
}
