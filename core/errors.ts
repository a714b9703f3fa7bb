/**
 * Every error that Parley throws. If a value does not meet a requirement, the message names the
 * action, then the value, then the requirement. No message contains a payload or a secret.
 *
 * @module
 */

import { ParleyError, type ParleyErrorCode, quote } from "./errors/parley_error.ts";
import type { StandardSchemaV1 } from "./standard_schema.ts";
import {
  LeaseLostError,
  NonDeterminismError,
  UnknownWorkflowError,
  WorkflowActiveError,
  WorkflowCancelledError,
  WorkflowConflictError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "./errors/workflow_errors.ts";

export {
  LeaseLostError,
  NonDeterminismError,
  ParleyError,
  type ParleyErrorCode,
  quote,
  UnknownWorkflowError,
  WorkflowActiveError,
  WorkflowCancelledError,
  WorkflowConflictError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
};

/**
 * A wait reached its deadline, or a try of a step took longer than its `timeout`.
 *
 * @category Errors
 */
export class TimeoutError extends ParleyError {
  /** The operation, such as `recv "payment"` or `step "charge"`. */
  declare readonly operation: string;
  /** The longest time that the operation could take, in milliseconds. 0 if it had an instant. */
  declare readonly timeoutMs: number;
  /** The instant at which the wait ended, in epoch milliseconds, if it had one. */
  declare readonly until?: number;

  /**
   * Creates the error.
   *
   * @param operation The operation.
   * @param timeoutMs The longest time that it could take, in milliseconds.
   * @param until The instant at which it ended, in epoch milliseconds, if it had one.
   */
  constructor(operation: string, timeoutMs: number, until?: number) {
    const when = until === undefined ? `after ${timeoutMs} ms` : `at ${new Date(until).toISOString()}`;
    super(`${operation}: timed out ${when}`, { operation, timeoutMs, ...(until !== undefined && { until }) });
  }
}

/**
 * The stream was closed by its workflow.
 *
 * @category Errors
 */
export class StreamClosedError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** The stream. */
  declare readonly key: string;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param key The stream.
   */
  constructor(workflowId: string, key: string) {
    super(`Stream ${quote(key)} of workflow ${quote(workflowId)} is closed`, { workflowId, key });
  }
}

/**
 * A reader asks for an offset that the stream has not reached. Usually the store was restored or
 * the ID was used again, and the offset belongs to the earlier stream.
 *
 * @category Errors
 */
export class OffsetOutOfRangeError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** The stream. */
  declare readonly key: string;
  /** The offset that was asked for. */
  declare readonly offset: number;
  /** The offset that the next value gets. A reader can ask for no higher offset. */
  declare readonly end: number;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param key The stream.
   * @param range The offset that was asked for, and the end of the stream.
   */
  constructor(workflowId: string, key: string, range: { offset: number; end: number }) {
    super(
      `Reading stream ${quote(key)} of workflow ${quote(workflowId)}: the offset is ${range.offset}, ` +
        `and must be at most ${range.end}, where the stream ends`,
      { workflowId, key, ...range },
    );
  }
}

/**
 * The `after` of a reader is above the current version of the event. Usually the store was restored
 * or the ID was used again, and that version belongs to the earlier event.
 *
 * @category Errors
 */
export class VersionOutOfRangeError extends ParleyError {
  /** The workflow. */
  declare readonly workflowId: string;
  /** The event. */
  declare readonly key: string;
  /** The version that the reader has seen. */
  declare readonly after: number;
  /** The current version; 0 if the event is not set. */
  declare readonly version: number;

  /**
   * Creates the error.
   *
   * @param workflowId The workflow.
   * @param key The event.
   * @param range The version that the reader has seen, and the current one.
   */
  constructor(workflowId: string, key: string, range: { after: number; version: number }) {
    super(
      `Reading event ${quote(key)} of workflow ${quote(workflowId)}: \`after\` is ${range.after}, ` +
        `and must be at most ${range.version}, the current version`,
      { workflowId, key, ...range },
    );
  }
}

/**
 * A value, an ID, a name or an option is not legal. Nothing was written.
 *
 * @category Errors
 */
export class ValidationError extends ParleyError {
  /**
   * The issues that the schema reports, at most 1,000 and without the value, or a single issue if
   * there was no schema. The message shows the first of them. The property is not enumerable,
   * because the path of an issue may have keys of the value, and loggers print every enumerable
   * property.
   */
  declare readonly issues: readonly StandardSchemaV1.Issue[];

  /**
   * Creates the error.
   *
   * @param message What was being done and what was required.
   * @param issues The issues that the schema reported.
   */
  constructor(message: string, issues: readonly StandardSchemaV1.Issue[] = [{ message }], options?: ErrorOptions) {
    super(message, {}, options);
    Object.defineProperty(this, "issues", { value: issues, configurable: true, writable: true });
  }
}

/**
 * An encoded value is larger than `maxValueBytes` or the limit of the store. Nothing was written.
 *
 * @category Errors
 */
export class ValueTooLargeError extends ParleyError {
  /** Its size in bytes, encoded. */
  declare readonly bytes: number;
  /** The largest size that is allowed, in bytes. */
  declare readonly limit: number;

  /**
   * Creates the error.
   *
   * @param what What the value is, such as `message`.
   * @param bytes Its size.
   * @param limit The largest size allowed.
   */
  constructor(what: string, bytes: number, limit: number) {
    super(`Encoding the ${what}: it has ${bytes} bytes, and may have at most ${limit}`, {
      bytes,
      limit,
    });
  }
}

/**
 * A stored value cannot be decoded here. It was written with another codec, or by a runtime or a
 * version of Parley that knows more types. The store still has it. The error contains no part of
 * the value.
 *
 * @category Errors
 */
export class UnreadableValueError extends ParleyError {
  /** What the value is, such as `value of stream "log"`. */
  declare readonly what: string;
  /**
   * The offset of a stream's value, or the version of an event. A reader can continue after it.
   * Absent for other values.
   */
  declare readonly at?: number;

  /**
   * Creates the error.
   *
   * @param what What the value is.
   * @param options `at`: its offset or version. `needs`: the type that this runtime lacks, if that
   * is known.
   */
  constructor(what: string, options: { at?: number; needs?: string } = {}) {
    const { at, needs } = options;
    const place = at === undefined ? "" : ` at ${at}`;
    super(`Decoding the ${what}${place}: it cannot be decoded here${needs ? `, since it needs ${needs}` : ""}`, {
      what,
      ...(at !== undefined && { at }),
    });
  }
}

/**
 * The idempotency key was used before with another topic, or twice in one call. Nothing was sent.
 *
 * @category Errors
 */
export class IdempotencyConflictError extends ParleyError {
  /** The idempotency key. */
  declare readonly key: string;

  /**
   * Creates the error.
   *
   * @param key The idempotency key.
   */
  constructor(key: string) {
    super(`Sending with idempotency key ${quote(key)}: the key belongs to another message`, {
      key,
    });
  }
}

/**
 * An operation was called where it is not allowed: inside a step, or after its workflow or step was
 * over.
 *
 * @category Errors
 */
export class ContextError extends ParleyError {
  /**
   * Creates the error.
   *
   * @param message What was called, and where it is allowed.
   */
  constructor(message: string) {
    super(message);
  }
}

/**
 * This client cannot do what was asked, because the store behind it has nothing like it.
 *
 * @category Errors
 */
export class UnsupportedError extends ParleyError {
  /**
   * Creates the error.
   *
   * @param message What was asked, and what there is in its place.
   */
  constructor(message: string) {
    super(message);
  }
}

/**
 * An error for which another try is useless. A step that throws it fails at once, even if it has
 * retries left. Throw it, or a subclass, in the code of a step.
 *
 * @example A card that was declined is not charged again
 * ```ts
 * import { FatalError, workflow } from "@parley/parley";
 *
 * const pay = workflow("pay", async (ctx, card: string) => {
 *   await ctx.step("charge", async () => {
 *     const { status } = await fetch(`https://pay.example/charge/${card}`, { method: "POST" });
 *     if (status === 402) throw new FatalError("The card was declined");
 *     if (status !== 200) throw new Error(`The charge failed with status ${status}`);
 *   }, { retries: 5 });
 * });
 * ```
 *
 * @category Errors
 */
export class FatalError extends ParleyError {
  /**
   * Creates the error.
   *
   * @param message What cannot succeed.
   * @param options `cause`: the error that led to this one.
   */
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, {}, options);
  }
}

/**
 * The store could not be reached, or a call to it failed.
 *
 * @category Errors
 */
export class DriverError extends ParleyError {
  /** Whether the same call may be made again, because the fault may pass and a repeat does no harm. */
  declare readonly retryable: boolean;

  /**
   * Creates the error.
   *
   * @param message Which call failed and how, without payloads or secrets.
   * @param options Whether it may be repeated, and the cause.
   */
  constructor(message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { retryable: options.retryable }, options);
  }
}

/**
 * The class of each code, as a field with the class's name. Minifiers rename classes but not
 * fields.
 */
const CLASSES: Record<ParleyErrorCode, Record<string, { readonly prototype: ParleyError }>> = {
  timeout: { TimeoutError },
  workflow_not_found: { WorkflowNotFoundError },
  workflow_ended: { WorkflowEndedError },
  workflow_active: { WorkflowActiveError },
  workflow_conflict: { WorkflowConflictError },
  unknown_workflow: { UnknownWorkflowError },
  workflow_failed: { WorkflowFailedError },
  workflow_cancelled: { WorkflowCancelledError },
  non_determinism: { NonDeterminismError },
  stream_closed: { StreamClosedError },
  offset_out_of_range: { OffsetOutOfRangeError },
  version_out_of_range: { VersionOutOfRangeError },
  invalid_value: { ValidationError },
  value_too_large: { ValueTooLargeError },
  unreadable_value: { UnreadableValueError },
  idempotency_conflict: { IdempotencyConflictError },
  invalid_context: { ContextError },
  unsupported: { UnsupportedError },
  lease_lost: { LeaseLostError },
  fatal: { FatalError },
  driver: { DriverError },
};

/**
 * The prototype of each class by its code. With it, a decoded error becomes an instance of its
 * class again.
 */
export const PROTOTYPES: Map<unknown, ParleyError> = new Map();

// The name stays on the prototype, so that it is not printed as a field of each error. The
// constructor copies the code into each error.
ParleyError.prototype.name = "ParleyError";
for (const [code, named] of Object.entries(CLASSES)) {
  for (const [name, { prototype }] of Object.entries(named)) {
    Object.assign(prototype, { name, code });
    PROTOTYPES.set(code, prototype);
  }
}
