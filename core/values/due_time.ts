/**
 * When a workflow begins that is to begin later.
 *
 * @module
 */

import type { CreateRequest } from "../driver/driver.ts";
import { ValidationError } from "../errors.ts";
import { type Duration, toInstant, toMilliseconds } from "./checks.ts";

/**
 * Reads a delay or an instant. Returns `undefined` for at once.
 *
 * @throws {ValidationError} If both are given, or one is not legal.
 */
export function toDueTime({ delay, at }: { delay?: Duration; at?: Date | number }): CreateRequest["due"] {
  if (delay !== undefined && at !== undefined) {
    throw new ValidationError("Starting a workflow with a delay and an instant: there must be only one of them");
  }
  if (at !== undefined) return { at: toInstant(at, "start of the workflow") };
  return delay === undefined ? undefined : { inMs: toMilliseconds(delay, "delay of the start") };
}
