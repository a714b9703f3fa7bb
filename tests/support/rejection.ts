/**
 * The error of a call that must reject.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DriverError } from "../../core/errors.ts";

/** The `DriverError` that a call must reject with. */
export async function rejection(promise: Promise<unknown>): Promise<DriverError> {
  const error = await promise.then(() => null, (error) => error);
  assert(error instanceof DriverError, String(error));
  return error;
}
