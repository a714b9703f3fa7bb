/**
 * Errors as data: how they pass through a journal or over HTTP and come back as the same class.
 *
 * @module
 */

import { PROTOTYPES, ValidationError } from "./errors.ts";

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

const BUILT_IN_CLASSES = new Map<string, object>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map((
    { prototype },
  ) => [prototype.name, prototype]),
);

/** The field that is not enumerable where it comes from, by class. */
const HIDDEN_FIELDS = new Map<object | null, string>([
  [AggregateError.prototype, "errors"],
  [ValidationError.prototype, "issues"],
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
  // By its code: a name alone does not tell, since the web has a `TimeoutError` too.
  const parley = PROTOTYPES.get(data.fields?.code);
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
