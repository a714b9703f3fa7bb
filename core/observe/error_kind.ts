/**
 * What an observer learns of an error.
 *
 * @module
 */

import { ParleyError, PROTOTYPES } from "../errors.ts";

/** Classes of JavaScript and of the web platform. Their names contain no data. */
const NAMES = new Map<unknown, string>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(
    ({ prototype }) => [prototype, prototype.name],
  ),
);
/** The names that the web platform gives to a `DOMException` of an abort or a timeout. */
const ABORTS = new Set(["AbortError", "TimeoutError"]);

/**
 * Returns the code of a `ParleyError`, the name of a class of JavaScript, or `error` for anything
 * else. Names that code gives to its own errors may contain data, so they are left out.
 */
export function errorKind(error: unknown): string {
  try {
    if (error instanceof ParleyError) return PROTOTYPES.has(error.code) ? error.code : "error";
    if (error instanceof DOMException) return ABORTS.has(error.name) ? error.name : "DOMException";
    return NAMES.get(Object.getPrototypeOf(error)) ?? "error";
  } catch {
    // A proxy may throw whatever is read of it.
    return "error";
  }
}
