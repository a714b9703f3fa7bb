/**
 * The exit codes of the command line, and the errors that lead to them.
 *
 * @module
 */

import { DriverError, ParleyError, type ParleyErrorCode } from "../core/errors.ts";

/**
 * The exit codes of the command line.
 *
 * @category Command line
 */
export const EXIT_CODES = {
  /** The command is done. */
  ok: 0,
  /** Something failed in a way that no other code names. */
  failed: 1,
  /** An argument, an option, a value or the environment is not legal. Nothing was done. */
  usage: 2,
  /** There is no such workflow, workflow name or schema. */
  notFound: 3,
  /** The workflow is there, but its state does not allow this. */
  conflict: 4,
  /** The server or the store refuses the token or the password. */
  denied: 5,
  /** The server or the store cannot be reached, or does not answer as one of Parley. */
  unreachable: 6,
  /** The time of `--timeout` is up. */
  timeout: 7,
  /** The user was asked, and did not say yes. Nothing was done. */
  declined: 8,
  /** The user has pressed Ctrl-C. */
  interrupted: 130,
} as const;

/** An error whose message is for the user, with its exit code. */
export class CliError extends Error {
  static {
    this.prototype.name = "CliError";
  }

  /** The code with which the process ends. */
  readonly exitCode: number;

  /** Creates the error. */
  constructor(message: string, exitCode: number = EXIT_CODES.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}

const OF_PARLEY: Partial<Record<ParleyErrorCode, number>> = {
  invalid_value: EXIT_CODES.usage,
  value_too_large: EXIT_CODES.usage,
  offset_out_of_range: EXIT_CODES.usage,
  workflow_not_found: EXIT_CODES.notFound,
  unknown_workflow: EXIT_CODES.notFound,
  workflow_ended: EXIT_CODES.conflict,
  workflow_active: EXIT_CODES.conflict,
  workflow_conflict: EXIT_CODES.conflict,
  idempotency_conflict: EXIT_CODES.conflict,
  timeout: EXIT_CODES.timeout,
};

/**
 * Matches how a `DriverError` tells that a secret was refused: a status of HTTP, a code of
 * PostgreSQL for a wrong password or a missing privilege, or a code of Redis.
 */
const DENIED = /\b(answered with (401|403)|HTTP_(401|403)|SQLSTATE (28\w{3}|42501)|WRONGPASS|NOPERM)\b/;

/** Returns the exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (isDenied(error)) return EXIT_CODES.denied;
  if (error instanceof DriverError) return EXIT_CODES.unreachable;
  return error instanceof ParleyError ? OF_PARLEY[error.code] ?? EXIT_CODES.failed : EXIT_CODES.failed;
}

/** Returns whether the server or the store has refused the secret, or what was asked with it. */
export function isDenied(error: unknown): boolean {
  return error instanceof DriverError && DENIED.test(error.message);
}
