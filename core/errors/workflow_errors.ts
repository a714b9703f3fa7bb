/**
 * The errors that concern a workflow as a whole.
 *
 * @module
 */

import type { WorkflowStatus } from "../driver/driver.ts";
import { summarizeError } from "./error_summary.ts";
import { ParleyError, quote } from "./parley_error.ts";

/**
 * There is no workflow with this ID.
 *
 * @category Errors
 */
export class WorkflowNotFoundError extends ParleyError {
  /** The ID that was asked for. */
  declare readonly workflowId: string;

  /** Creates the error for this ID. */
  constructor(workflowId: string) {
    super(`Workflow ${quote(workflowId)} does not exist`, { workflowId });
  }
}

/**
 * The workflow has ended, so the operation is no longer possible.
 *
 * @category Errors
 */
export class WorkflowEndedError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** How it ended. */
  declare readonly status: WorkflowStatus;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param status How it ended.
   * @param required What it must be, in words.
   */
  constructor(workflowId: string, status: WorkflowStatus, required: string = "ENQUEUED or PENDING") {
    super(`Workflow ${quote(workflowId)} has ended: it is ${status}, and must be ${required}`, {
      workflowId,
      status,
    });
  }
}

/**
 * The workflow has not ended, so it can neither be deleted nor be resumed from a position.
 *
 * @category Errors
 */
export class WorkflowActiveError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** Its status. */
  declare readonly status: WorkflowStatus;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param status Its status.
   */
  constructor(workflowId: string, status: WorkflowStatus) {
    super(`Workflow ${quote(workflowId)} has not ended: it is ${status}, so cancel it first`, { workflowId, status });
  }
}

/**
 * The ID belongs to a workflow with another name.
 *
 * @category Errors
 */
export class WorkflowConflictError extends ParleyError {
  /** The ID that is taken. */
  declare readonly workflowId: string;

  /** Creates the error for this ID. */
  constructor(workflowId: string) {
    super(`Starting workflow ${quote(workflowId)}: the ID exists under another workflow name`, {
      workflowId,
    });
  }
}

/**
 * The name is not among the `workflows` of this `Parley`, and the call did not use `enqueue`.
 * `onError` also gets this error, once per name, when a due workflow has such a name.
 *
 * @category Errors
 */
export class UnknownWorkflowError extends ParleyError {
  /** The name. */
  declare readonly workflow: string;

  /** Creates the error for this name. */
  constructor(workflow: string) {
    super(
      `There is no workflow named ${quote(workflow)} here: it must be among the workflows of this Parley, ` +
        "or be started with { enqueue: true }",
      { workflow },
    );
  }
}

/**
 * The workflow ended in `ERROR` or used up its recovery attempts. `cause` is the error of the
 * workflow. The message has names and codes of that error and its causes, but none of their
 * messages, because those may contain data.
 *
 * @category Errors
 */
export class WorkflowFailedError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /**
   * The operation whose error ended the workflow, such as `step "charge"`. Absent if the workflow
   * threw another error, and for the result of a child.
   */
  declare readonly failed?: { readonly position: number; readonly operation: string };

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param cause Its error.
   * @param failed The operation whose error ended the workflow, if it was one.
   */
  constructor(workflowId: string, cause: unknown, failed?: { position: number; operation: string }) {
    const place = failed ? ` in ${failed.operation} at position ${failed.position}` : "";
    const summary = summarizeError(cause);
    const rest = cause === undefined ? "" : "; its error is the cause";
    super(
      `Workflow ${quote(workflowId)} failed${place}${summary === null ? "" : `: ${summary}`}${rest}`,
      { workflowId, ...(failed && { failed }) },
      { cause },
    );
  }
}

/**
 * The workflow was cancelled.
 *
 * @category Errors
 */
export class WorkflowCancelledError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   */
  constructor(workflowId: string) {
    super(`Workflow ${quote(workflowId)} was cancelled`, { workflowId });
  }
}

/**
 * The code does not repeat what its journal has recorded.
 *
 * @category Errors
 */
export class NonDeterminismError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** The position at which code and journal differ. */
  declare readonly position: number;
  /** The operation that the journal has at this position. */
  declare readonly expected: string;
  /** The operation that the code called at this position, or what it did instead. */
  declare readonly actual: string;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param difference The position, with the journal's operation and the code's operation there.
   */
  constructor(workflowId: string, difference: { position: number; expected: string; actual: string }) {
    super(
      `Replaying workflow ${quote(workflowId)}: position ${difference.position} is ${difference.actual}, ` +
        `but the journal has ${difference.expected} there`,
      { workflowId, ...difference },
    );
  }
}

/**
 * This run no longer has the workflow's lease, so it can no longer change anything. Another run
 * took the workflow over, or the store went back to an older copy.
 *
 * @category Errors
 */
export class LeaseLostError extends ParleyError {
  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   */
  constructor(workflowId: string) {
    super(
      `Workflow ${quote(workflowId)}: this run lost the lease, because another run took the workflow over ` +
        "or the store went back to an older copy",
    );
  }
}
