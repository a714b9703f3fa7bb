/**
 * The base of every error that Parley throws. Its classes are in `errors.ts`.
 *
 * @module
 */

/**
 * The closed list of codes, one for each class of error.
 *
 * @category Errors
 */
export type ParleyErrorCode =
  | "timeout"
  | "workflow_not_found"
  | "workflow_ended"
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
  | "lease_lost"
  | "driver";

/**
 * The base of all errors of this library.
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
  /** Which error it is. */
  declare readonly code: ParleyErrorCode;

  /**
   * Creates the error.
   *
   * @param code Which error it is.
   * @param message What was being done, the value in question, the value required.
   * @param fields What the subclass adds.
   * @param options `cause`: the error that led to this one.
   */
  constructor(code: ParleyErrorCode, message: string, fields: object = {}, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Object.assign(this, { code }, fields);
  }
}

/** An ID, name or key for an error message: quoted, with control characters escaped, cut to a readable length. */
export function quote(text: string): string {
  const shown = [...text].length > 80 ? [...text].slice(0, 80).join("") + "…" : text;
  return JSON.stringify(shown);
}
