/**
 * The statuses of a workflow, as values.
 *
 * @module
 */

import type { WorkflowStatus } from "./driver.ts";

/** All statuses. The first two are active: such a workflow may still run and write. */
export const STATUSES = [
  "ENQUEUED",
  "PENDING",
  "SUCCESS",
  "ERROR",
  "CANCELLED",
  "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
] as const satisfies readonly WorkflowStatus[];

/** Returns whether a workflow in this status may still run and write. */
export function isActive(status: WorkflowStatus): boolean {
  return STATUSES.indexOf(status) < 2;
}
