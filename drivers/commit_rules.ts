/**
 * Rules of a commit that do not depend on how a store keeps it.
 *
 * @module
 */

import type { CommitRequest, OperationResult } from "../core/driver/driver.ts";
import { DriverError } from "../core/errors.ts";

/**
 * Returns whether the transition is made. A suspend is refused if a wait has an outcome or a pause has
 * elapsed.
 */
export function mayRelease({ transition, operations }: CommitRequest, results: readonly OperationResult[]): boolean {
  if (results.some((result) => "deferred" in result)) return false;
  if (transition?.to !== "suspend") return true;
  return results.every((result, index) =>
    "remainingMs" in result && !(operations[index]?.type === "pause" && result.remainingMs === 0)
  );
}

/** Refuses a commit that would fail in the middle. A commit is written as a whole or not at all. */
export function checkPositions(request: CommitRequest): void {
  for (const { position, type } of request.operations) {
    if (position === null && type !== "send" && type !== "setEvent" && type !== "writeStream") {
      throw new DriverError(`Committing ${type}: it must have a position`, { retryable: false });
    }
  }
}
