/**
 * The base of every error that Parley throws, and what the classes share. The classes are in `errors.ts`.
 *
 * @module
 */

/** The closed list of codes, one for each class of error. */
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

/** The prototype of each class by its code: how an error that was data becomes one of its class again. */
export const PROTOTYPES: Map<unknown, ParleyError> = new Map();

/** Gives a class its name, and its prototype to {@linkcode PROTOTYPES}. */
export function define(prototype: ParleyError, name: string, code: ParleyErrorCode): void {
  prototype.name = name;
  PROTOTYPES.set(code, prototype);
}

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
 */
export class ParleyError extends Error {
  // On the prototype, so that it survives minifying and is not printed as a field.
  static {
    this.prototype.name = "ParleyError";
  }
  /** Which error it is. */
  readonly code: ParleyErrorCode;

  /**
   * Makes the error.
   *
   * @param code Which error it is.
   * @param message What was being done, the value at hand, the value required.
   * @param options `cause`, where another error led to this one.
   */
  constructor(code: ParleyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An ID, name or key for an error message: quoted, with control characters escaped, cut to a readable length. */
export function quote(text: string): string {
  const shown = [...text].length > 80 ? [...text].slice(0, 80).join("") + "…" : text;
  return JSON.stringify(shown);
}
