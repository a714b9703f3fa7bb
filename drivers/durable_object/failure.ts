/**
 * Errors on their way from an object to its Worker.
 *
 * @module
 */

import { DriverError, type ParleyError, ValidationError, ValueTooLargeError } from "../../core/errors.ts";
import { textMember } from "../foreign_error.ts";
import { isProgrammingError, programmingError } from "../programming_error.ts";
import { WORKFLOW_VALUES } from "./limits.ts";

/** An error of an object, as plain data. */
export type Failure =
  | { readonly code: "driver"; readonly message: string; readonly retryable: boolean }
  | { readonly code: "invalid_value"; readonly message: string }
  | { readonly code: "value_too_large"; readonly bytes: number; readonly limit: number };

/** Turns an error of an object into plain data. */
export function toFailure(error: ParleyError): Failure {
  if (error instanceof DriverError) return { code: "driver", message: error.message, retryable: error.retryable };
  // The core refuses every other value that is too large before it calls.
  if (error instanceof ValueTooLargeError) {
    return { code: "value_too_large", bytes: error.bytes, limit: error.limit };
  }
  return { code: "invalid_value", message: error.message };
}

/** Makes the error for a failure that an object has answered. */
export function failureError(failure: Failure): ParleyError {
  switch (failure.code) {
    case "driver":
      return new DriverError(failure.message, { retryable: failure.retryable });
    case "invalid_value":
      return new ValidationError(failure.message);
    case "value_too_large":
      return new ValueTooLargeError(WORKFLOW_VALUES, failure.bytes, failure.limit);
  }
}

/**
 * Makes the error for a call that got no answer. What the platform throws depends on the
 * compatibility date, so only the members are read that exist at every date.
 *
 * @param call The store and the call, as in `Durable Object: commit`.
 */
export function callError(call: string, error: unknown): DriverError {
  const reason = reasonOf(error);
  if (reason !== null) return new DriverError(`${call} failed (${reason})`, { retryable: true });
  if (isProgrammingError(error)) return programmingError(call, error);
  return new DriverError(`${call} failed, and the platform does not say why`, { retryable: false });
}

/** Why the same call may be made again; `null` if it may not, or if this is unknown. */
export function reasonOf(error: unknown): string | null {
  if (isTrue(error, "overloaded")) return "the object is overloaded";
  if (isTrue(error, "durableObjectReset")) return "the object was reset";
  if (isTrue(error, "retryable")) return "the object cannot be reached";
  const message = textMember(error, "message") ?? "";
  if (/^(Error: )?internal error/.test(message)) return "an internal error of the platform";
  return /^(Error: )?Network connection lost/.test(message) ? "the connection was lost" : null;
}

function isTrue(error: unknown, name: string): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, name) === true;
}
