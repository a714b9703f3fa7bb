/**
 * Errors as data: how they pass through a journal or over HTTP and come back as the same class.
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
  /** Where it was thrown. */
  stack?: string;
  /** What led to it. */
  cause?: unknown;
  /** Its other own fields, such as `code`. */
  fields?: Record<string, unknown>;
}

/** Not in every runtime: what `using` throws. */
const suppressed: Error[] = typeof SuppressedError === "undefined" ? [] : [SuppressedError.prototype];

const BUILT_IN_CLASSES = new Map<string, object>(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(({ prototype }) =>
    prototype
  )
    .concat(suppressed).map((prototype) => [prototype.name, prototype]),
);

/** Fields that are not enumerable where they come from: of `AggregateError`, `ValidationError` and `SuppressedError`. */
const HIDDEN_FIELDS = ["errors", "issues", "error", "suppressed"];
const HAVE_HIDDEN_FIELDS = new Set<unknown>([AggregateError.prototype, ValidationError.prototype, ...suppressed]);

/** What is no field: it has a place of its own, or could not be brought back. */
const NO_FIELDS = new Set(["name", "message", "stack", "cause", "__proto__"]);

/** Whether a value is an error, also one of another realm, such as a `node:vm` context. */
export function isError(value: unknown): value is Error {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Error ||
    (!(Symbol.toStringTag in value) && Object.prototype.toString.call(value) === "[object Error]");
}

/** An error as data. It never throws: `name`, `message` and `stack` are strings whatever the error has there, and what cannot be read is left out. */
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

/** A getter or a proxy may throw anything. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * An error from its data: of the same class if that is built in or Parley's, else an `Error` with its name.
 *
 * @param data The data.
 * @param error The error that is to have it, where somebody holds it already.
 */
export function reviveError(data: SerializedError, error: Error = new Error(data.message)): Error {
  // By its code: a name alone does not tell, since the web has a `TimeoutError` too.
  const parley = PROTOTYPES.get(data.fields?.code);
  const prototype = parley?.name === data.name ? parley : BUILT_IN_CLASSES.get(data.name);
  if (prototype) Object.setPrototypeOf(error, prototype);
  // Not enumerable, as they are where the runtime makes them, so that it compares equal to the error it came from.
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
