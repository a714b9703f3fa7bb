/**
 * Every error that Parley throws. A message says what was being done, then the value at hand, then what was
 * required; it never holds a payload or a secret.
 *
 * @module
 */

import type { StandardSchemaV1 } from "./standard_schema.ts";
import type { WorkflowStatus } from "./driver/driver.ts";
import { define, ParleyError, type ParleyErrorCode, PROTOTYPES, quote } from "./parley_error.ts";

export { OffsetOutOfRangeError, VersionOutOfRangeError } from "./out_of_range.ts";
export { ParleyError, type ParleyErrorCode, PROTOTYPES, quote };

/** A wait reached its deadline. */
export class TimeoutError extends ParleyError {
  static {
    define(this.prototype, "TimeoutError", "timeout");
  }
  /** What was waited for, as in `recv "payment"`. */
  readonly operation: string;
  /** How long the wait was, in milliseconds. */
  readonly timeoutMs: number;

  /**
   * Makes the error.
   *
   * @param operation What was waited for.
   * @param timeoutMs How long, in milliseconds.
   */
  constructor(operation: string, timeoutMs: number) {
    super("timeout", `${operation}: nothing came within ${timeoutMs} ms`);
    this.operation = operation;
    this.timeoutMs = timeoutMs;
  }
}

/** There is no workflow with this ID. */
export class WorkflowNotFoundError extends ParleyError {
  static {
    define(this.prototype, "WorkflowNotFoundError", "workflow_not_found");
  }
  /** The ID that was asked for. */
  readonly workflowId: string;

  /**
   * Makes the error.
   *
   * @param workflowId The ID that was asked for.
   */
  constructor(workflowId: string) {
    super("workflow_not_found", `Workflow ${quote(workflowId)} does not exist`);
    this.workflowId = workflowId;
  }
}

/** The workflow has ended, so what was asked of it can no longer be done. */
export class WorkflowEndedError extends ParleyError {
  static {
    define(this.prototype, "WorkflowEndedError", "workflow_ended");
  }
  /** The workflow. */
  readonly workflowId: string;
  /** How it ended. */
  readonly status: WorkflowStatus;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param status How it ended.
   */
  constructor(workflowId: string, status: WorkflowStatus) {
    super(
      "workflow_ended",
      `Workflow ${quote(workflowId)} has ended: it is ${status}, and must be ENQUEUED or PENDING`,
    );
    this.workflowId = workflowId;
    this.status = status;
  }
}

/** The ID belongs to a workflow of another name. */
export class WorkflowConflictError extends ParleyError {
  static {
    define(this.prototype, "WorkflowConflictError", "workflow_conflict");
  }
  /** The ID that is taken. */
  readonly workflowId: string;

  /**
   * Makes the error.
   *
   * @param workflowId The ID that is taken.
   */
  constructor(workflowId: string) {
    super("workflow_conflict", `Starting workflow ${quote(workflowId)}: the ID exists under another workflow name`);
    this.workflowId = workflowId;
  }
}

/** The name is not among the `workflows` of this `Parley`, and the workflow was not to be enqueued. */
export class UnknownWorkflowError extends ParleyError {
  static {
    define(this.prototype, "UnknownWorkflowError", "unknown_workflow");
  }
  /** The name. */
  readonly workflow: string;

  /**
   * Makes the error.
   *
   * @param workflow The name.
   */
  constructor(workflow: string) {
    super(
      "unknown_workflow",
      `There is no workflow named ${
        quote(workflow)
      } here: it must be among the workflows of this Parley, or be started with { enqueue: true }`,
    );
    this.workflow = workflow;
  }
}

/** The workflow ended in `ERROR` or used up its recovery attempts. `cause` is its error. */
export class WorkflowFailedError extends ParleyError {
  static {
    define(this.prototype, "WorkflowFailedError", "workflow_failed");
  }
  /** The workflow. */
  readonly workflowId: string;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param cause Its error.
   */
  constructor(workflowId: string, cause: unknown) {
    super("workflow_failed", `Workflow ${quote(workflowId)} failed; its error is the cause`, { cause });
    this.workflowId = workflowId;
  }
}

/** The workflow was cancelled. */
export class WorkflowCancelledError extends ParleyError {
  static {
    define(this.prototype, "WorkflowCancelledError", "workflow_cancelled");
  }
  /** The workflow. */
  readonly workflowId: string;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   */
  constructor(workflowId: string) {
    super("workflow_cancelled", `Workflow ${quote(workflowId)} was cancelled`);
    this.workflowId = workflowId;
  }
}

/** The code did not do what its journal says it did before. */
export class NonDeterminismError extends ParleyError {
  static {
    define(this.prototype, "NonDeterminismError", "non_determinism");
  }
  /** The workflow. */
  readonly workflowId: string;
  /** The position at which code and journal differ. */
  readonly position: number;
  /** What the journal has there. */
  readonly expected: string;
  /** What the code did. */
  readonly actual: string;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param difference Where, and what was expected and done.
   */
  constructor(workflowId: string, difference: { position: number; expected: string; actual: string }) {
    const { position, expected, actual } = difference;
    super(
      "non_determinism",
      `Replaying workflow ${
        quote(workflowId)
      }: position ${position} is ${actual}, but the journal has ${expected} there`,
    );
    this.workflowId = workflowId;
    this.position = position;
    this.expected = expected;
    this.actual = actual;
  }
}

/** The stream was closed by its workflow. */
export class StreamClosedError extends ParleyError {
  static {
    define(this.prototype, "StreamClosedError", "stream_closed");
  }
  /** The workflow. */
  readonly workflowId: string;
  /** The stream. */
  readonly key: string;

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   * @param key The stream.
   */
  constructor(workflowId: string, key: string) {
    super("stream_closed", `Stream ${quote(key)} of workflow ${quote(workflowId)} is closed`);
    this.workflowId = workflowId;
    this.key = key;
  }
}

/** A value, an ID, a name or an option is not what it must be. Nothing was written. */
export class ValidationError extends ParleyError {
  static {
    define(this.prototype, "ValidationError", "invalid_value");
  }
  /**
   * What is wrong, in the words of the schema; a single issue where there was no schema. Not enumerable: a schema's words may hold the
   * value, and loggers print every field that is.
   */
  declare readonly issues: readonly StandardSchemaV1.Issue[];

  /**
   * Makes the error.
   *
   * @param message What was being done and what was required.
   * @param issues What the schema said.
   */
  constructor(message: string, issues: readonly StandardSchemaV1.Issue[] = [{ message }], options?: ErrorOptions) {
    super("invalid_value", message, options);
    Object.defineProperty(this, "issues", { value: issues, configurable: true, writable: true });
  }
}

/** An encoded value is larger than `maxValueBytes`. Nothing was written. */
export class ValueTooLargeError extends ParleyError {
  static {
    define(this.prototype, "ValueTooLargeError", "value_too_large");
  }
  /** Its size in bytes, encoded. */
  readonly bytes: number;
  /** The largest size that is allowed. */
  readonly limit: number;

  /**
   * Makes the error.
   *
   * @param what What the value is, as in `message`.
   * @param bytes Its size.
   * @param limit The largest size allowed.
   */
  constructor(what: string, bytes: number, limit: number) {
    super("value_too_large", `Encoding the ${what}: it has ${bytes} bytes, and may have at most ${limit}`);
    this.bytes = bytes;
    this.limit = limit;
  }
}

/**
 * A stored value cannot be decoded here. It was written by a runtime, a codec or a version that knows more types than this one; the store still has it.
 * The error holds nothing of the value.
 */
export class UnreadableValueError extends ParleyError {
  static {
    define(this.prototype, "UnreadableValueError", "unreadable_value");
  }
  /** What the value is, as in `value of stream "log"`. */
  readonly what: string;
  /** The offset of the value in its stream, or the version of the event: a reader goes on after it. Only there for values of streams and events. */
  readonly at?: number;

  /**
   * Makes the error.
   *
   * @param what What the value is.
   * @param options `at`: its offset or version. `needs`: the type that this runtime lacks, where that is known.
   */
  constructor(what: string, options: { at?: number; needs?: string } = {}) {
    const { at, needs } = options;
    const place = at === undefined ? "" : ` at ${at}`;
    super(
      "unreadable_value",
      `Decoding the ${what}${place}: it cannot be decoded here${needs ? `, since it needs ${needs}` : ""}`,
    );
    this.what = what;
    if (at !== undefined) this.at = at;
  }
}

/** The idempotency key was used before with another topic, or twice in one call. Nothing was sent. */
export class IdempotencyConflictError extends ParleyError {
  static {
    define(this.prototype, "IdempotencyConflictError", "idempotency_conflict");
  }
  /** The idempotency key. */
  readonly key: string;

  /**
   * Makes the error.
   *
   * @param key The idempotency key.
   */
  constructor(key: string) {
    super("idempotency_conflict", `Sending with idempotency key ${quote(key)}: the key belongs to another message`);
    this.key = key;
  }
}

/** An operation was called where it may not be: inside a step, or after its workflow or step was over. */
export class ContextError extends ParleyError {
  static {
    define(this.prototype, "ContextError", "invalid_context");
  }

  /**
   * Makes the error.
   *
   * @param message What was called, and where it may be.
   */
  constructor(message: string) {
    super("invalid_context", message);
  }
}

/** Another run took the workflow over. This one can change nothing any more. */
export class LeaseLostError extends ParleyError {
  static {
    define(this.prototype, "LeaseLostError", "lease_lost");
  }

  /**
   * Makes the error.
   *
   * @param workflowId The workflow.
   */
  constructor(workflowId: string) {
    super("lease_lost", `Workflow ${quote(workflowId)}: another run took it over`);
  }
}

/** The store could not be reached or did not do what it was asked. */
export class DriverError extends ParleyError {
  static {
    define(this.prototype, "DriverError", "driver");
  }
  /** Whether the same call may be made again: the fault may pass, and a repeat does no harm. */
  readonly retryable: boolean;

  /**
   * Makes the error.
   *
   * @param message Which call failed and how, without payloads or secrets.
   * @param options Whether it may be repeated, and the cause.
   */
  constructor(message: string, options: { retryable: boolean; cause?: unknown }) {
    super("driver", message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable;
  }
}
