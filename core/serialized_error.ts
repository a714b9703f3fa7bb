/**
 * Errors as data: how they pass through a journal or over HTTP and come back as the same class.
 *
 * @module
 */

import * as parleyErrors from "./errors.ts";

/** An error as plain data. */
export interface SerializedError {
  /** The error's name, as in `TypeError`. */
  name: string;
  /** The error's message. */
  message: string;
  /** Where it was thrown. */
  stack?: string;
  /** What led to it. */
  cause?: unknown;
  /** Its other own fields, such as `code`. */
  fields?: Record<string, unknown>;
}

/** Parley's own classes by their code: a name alone does not tell, since the web has a `TimeoutError` too. */
const PARLEY_CLASSES = new Map<unknown, object>(
  Object.entries(
    {
      timeout: parleyErrors.TimeoutError,
      workflow_not_found: parleyErrors.WorkflowNotFoundError,
      workflow_ended: parleyErrors.WorkflowEndedError,
      workflow_conflict: parleyErrors.WorkflowConflictError,
      unknown_workflow: parleyErrors.UnknownWorkflowError,
      workflow_failed: parleyErrors.WorkflowFailedError,
      workflow_cancelled: parleyErrors.WorkflowCancelledError,
      non_determinism: parleyErrors.NonDeterminismError,
      stream_closed: parleyErrors.StreamClosedError,
      invalid_value: parleyErrors.ValidationError,
      value_too_large: parleyErrors.ValueTooLargeError,
      idempotency_conflict: parleyErrors.IdempotencyConflictError,
      invalid_context: parleyErrors.ContextError,
      lease_lost: parleyErrors.LeaseLostError,
      driver: parleyErrors.DriverError,
    } satisfies Record<parleyErrors.ParleyErrorCode, unknown>,
  ).map(([code, { prototype }]) => [code, prototype]),
);

const BUILT_IN_CLASSES = new Map<string, object>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map((
    { prototype },
  ) => [prototype.name, prototype]),
);

/** The field that is not enumerable where it comes from, by class. */
const HIDDEN_FIELDS = new Map<object | null, string>([
  [AggregateError.prototype, "errors"],
  [parleyErrors.ValidationError.prototype, "issues"],
]);

/** An error as data. */
export function serializeError(error: Error): SerializedError {
  const { name, message, stack, cause } = error;
  const skipped = new Set(["name", "message", "stack", "cause"]);
  const fields = Object.fromEntries(Object.entries(error).filter(([key]) => !skipped.has(key)));
  const hidden = HIDDEN_FIELDS.get(Object.getPrototypeOf(error));
  if (hidden) fields[hidden] = Reflect.get(error, hidden);
  return {
    name,
    message,
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && { cause }),
    ...(Object.keys(fields).length > 0 && { fields }),
  };
}

/** An error from its data: of the same class if that is built in or Parley's, else an `Error` with its name. */
export function reviveError(data: SerializedError): Error {
  const error = new Error(data.message, "cause" in data ? { cause: data.cause } : undefined);
  const parley = PARLEY_CLASSES.get(data.fields?.code) as { name: string } | undefined;
  const prototype = parley?.name === data.name ? parley : BUILT_IN_CLASSES.get(data.name);
  if (prototype) Object.setPrototypeOf(error, prototype);
  // Not enumerable, as `message` and `stack` are, so that it compares equal to the error it came from.
  if (error.name !== data.name) Object.defineProperty(error, "name", { value: data.name, configurable: true, writable: true });
  Object.defineProperty(error, "stack", { value: data.stack, configurable: true, writable: true });
  for (const [key, value] of Object.entries(data.fields ?? {})) {
    const enumerable = HIDDEN_FIELDS.get(Object.getPrototypeOf(error)) !== key;
    Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
  }
  return error;
}
