/**
 * The base class of all errors that Parley throws. Its subclasses are in `core/errors.ts`.
 *
 * @module
 */

/**
 * All error codes. Each error class has its own code.
 *
 * @category Errors
 */
export type ParleyErrorCode =
  | "timeout"
  | "workflow_not_found"
  | "workflow_ended"
  | "workflow_active"
  | "workflow_conflict"
  | "unknown_workflow"
  | "workflow_failed"
  | "workflow_cancelled"
  | "non_determinism"
  | "stream_closed"
  | "offset_out_of_range"
  | "version_out_of_range"
  | "invalid_value"
  | "value_too_large"
  | "unreadable_value"
  | "idempotency_conflict"
  | "invalid_context"
  | "unsupported"
  | "lease_lost"
  | "fatal"
  | "driver";

/**
 * The base class of all errors of this library.
 *
 * @example Tell Parley's errors from others by their code
 * ```ts
 * import { ParleyError } from "@parley/parley";
 *
 * function isTimeout(error: unknown): boolean {
 *   return error instanceof ParleyError && error.code === "timeout";
 * }
 * ```
 *
 * @category Errors
 */
export class ParleyError extends Error {
  /** The code of the error's class. */
  declare readonly code: ParleyErrorCode;

  /**
   * Creates the error.
   *
   * @param message The action, the value in question and the requirement.
   * @param fields The fields that the subclass adds.
   * @param options `cause`: the error that led to this one.
   */
  constructor(message: string, fields: object = {}, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Object.assign(this, { code: this.code }, fields);
  }
}

/** Quotes an ID, name or key for an error message, escaped and cut to 80 characters. */
export function quote(text: string): string {
  const shown = [...text].length > 80 ? [...text].slice(0, 80).join("") + "…" : text;
  return JSON.stringify(shown);
}
