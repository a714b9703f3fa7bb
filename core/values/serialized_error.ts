/**
 * Converts errors to data and back, for a journal or for HTTP. An error of a built-in class, or of
 * one of Parley's classes, comes back in that class.
 *
 * @module
 */

import { PROTOTYPES, ValidationError } from "../errors.ts";

/**
 * An error as plain data.
 *
 * @category Values
 */
export interface SerializedError {
  /** The error's name, as in `TypeError`. */
  name: string;
  /** The error's message. */
  message: string;
  /** The stack trace. */
  stack?: string;
  /** The cause. */
  cause?: unknown;
  /** The error's other own fields, such as `code`. */
  fields?: Record<string, unknown>;
}

/** The class of error that `using` throws, if the runtime has it. */
const suppressed: Error[] = typeof SuppressedError === "undefined" ? [] : [SuppressedError.prototype];

const BUILT_IN_CLASSES = new Map<string, object>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(({ prototype }) =>
    prototype
  )
    .concat(suppressed).map((prototype) => [prototype.name, prototype]),
);

/** Fields that are not enumerable in `AggregateError`, `ValidationError` and `SuppressedError`. */
const HIDDEN_FIELDS = ["errors", "issues", "error", "suppressed"];
const HAVE_HIDDEN_FIELDS = new Set<unknown>([AggregateError.prototype, ValidationError.prototype, ...suppressed]);

/** Keys that are not fields. They have a place of their own, or could not be restored. */
const NO_FIELDS = new Set(["name", "message", "stack", "cause", "__proto__"]);

/** Returns whether a value is an error. It may be of another realm, such as a `node:vm` context. */
export function isError(value: unknown): value is Error {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Error ||
    (!(Symbol.toStringTag in value) && Object.prototype.toString.call(value) === "[object Error]");
}

/**
 * Converts an error to data. It never throws. `name`, `message` and `stack` become strings,
 * whatever the error has there. A field that cannot be read is left out.
 */
export function serializeError(error: Error): SerializedError {
  const stack = textOf(error, "stack");
  const cause = attempt(() => error.cause);
  const fields = fieldsOf(error);
  return {
    name: textOf(error, "name") ?? "Error",
    message: textOf(error, "message") ?? "",
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && { cause }),
    ...(Object.keys(fields).length > 0 && { fields }),
  };
}

/**
 * Serialises what a workflow threw. A thrown primitive becomes the message of an error. A thrown
 * object that is not an error becomes an error with a fixed message.
 */
export function toSerialized(thrown: unknown): SerializedError {
  if (thrown instanceof Error) return serializeError(thrown);
  return { name: "Error", message: typeof thrown === "object" && thrown !== null ? "A thrown object" : String(thrown) };
}

function fieldsOf(error: Error): Record<string, unknown> {
  const hidden = HIDDEN_FIELDS.filter((key) =>
    attempt(() => Object.getOwnPropertyDescriptor(error, key))?.enumerable === false
  );
  const keys = [...attempt(() => Object.keys(error)) ?? [], ...hidden].filter((key) => !NO_FIELDS.has(key));
  return Object.fromEntries(keys.flatMap((key) => attempt(() => [[key, Reflect.get(error, key)]]) ?? []));
}

function textOf(error: Error, key: string): string | undefined {
  return attempt(() => {
    const value = Reflect.get(error, key);
    return value === undefined ? undefined : String(value);
  });
}

/** Returns `undefined` if reading throws. A getter or a proxy may throw anything. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Restores an error from its data. The error has its old class, if that is built in or Parley's.
 * Otherwise it is an `Error` with the old name.
 *
 * @param data The data.
 * @param error The error to fill, if there is one already. Default a new error.
 */
export function reviveError(data: SerializedError, error: Error = new Error(data.message)): Error {
  // The code decides, because a name is ambiguous. The web has a `TimeoutError` too.
  const parley = PROTOTYPES.get(data.fields?.code);
  const prototype = parley?.name === data.name ? parley : BUILT_IN_CLASSES.get(data.name);
  if (prototype) Object.setPrototypeOf(error, prototype);
  // As in an error that the runtime creates, these properties are not enumerable. So a restored
  // error compares equal to its original.
  const set = (key: string, value: unknown, enumerable = false) =>
    Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
  if (error.name !== data.name) set("name", data.name);
  set("message", data.message);
  set("stack", data.stack);
  if ("cause" in data) set("cause", data.cause);
  const hides = HAVE_HIDDEN_FIELDS.has(Object.getPrototypeOf(error));
  for (const [key, value] of Object.entries(data.fields ?? {})) {
    set(key, value, !(hides && HIDDEN_FIELDS.includes(key)));
  }
  return error;
}
