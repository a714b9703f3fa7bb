/**
 * Cancels and resumes workflows from outside.
 *
 * @module
 */

import type { ControlRequest } from "../driver/driver.ts";
import { WorkflowActiveError, WorkflowEndedError, WorkflowNotFoundError } from "../errors.ts";
import { statusTargets } from "../time/subscriptions.ts";
import { checkName } from "../values/checks.ts";
import type { Runner } from "./runner.ts";

/** What a workflow must be for each action. */
const REQUIRED: Readonly<Record<ControlRequest["action"], string>> = {
  cancel: "ENQUEUED or PENDING",
  resume: "CANCELLED, ERROR or MAX_RECOVERY_ATTEMPTS_EXCEEDED, or still active",
};

/** Cancels or resumes a workflow, tells those that wait here, and continues what that makes due. */
export async function control(runner: Runner, request: ControlRequest): Promise<void> {
  const { workflowId } = request;
  checkName(workflowId, "workflow ID");
  const result = await runner.driver.control(request);
  if (result.state === "not_found") throw new WorkflowNotFoundError(workflowId);
  if (result.state === "active") throw new WorkflowActiveError(workflowId, result.status);
  if (result.state === "ended") throw new WorkflowEndedError(workflowId, result.status, REQUIRED[request.action]);
  runner.check(workflowId);
  runner.hints.notify([`inbox:${workflowId}`, ...statusTargets(workflowId)]);
  if (result.woken.length > 0) runner.wake(result.woken);
}
