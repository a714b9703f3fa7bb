/**
 * Errors of a database client as {@linkcode DriverError}.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";

/** A five-character code of the SQL standard. Codes of the system, as in `EPIPE`, have no digit. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** A code as runtimes give them: `ECONNRESET`, `ERR_TLS_CERT_ALTNAME_INVALID`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/**
 * The call was not carried out, or its outcome is unknown; in both cases it may be made again: connection exceptions,
 * serialization failure and deadlock, no resources, no lock, a server that stops or starts.
 */
const RETRYABLE = /^(08...|40001|40P01|53...|55P03|57P0[1-3])$/;

/** No such schema, table or function: what the first call finds, and an older schema. */
const MISSING = /^(3F000|42P01|42883)$/;

/** Whether the text of an error comes from the server alone. Others, as those of class 22 and 23, may quote the data. */
const SPEAKABLE = /^(08|25|28|3D|3F|40|42|53|55|57)/;

/** The SQLSTATE of an error, if it has one. */
export function sqlState(error: unknown): string | null {
  const code = member(error, "code");
  return code !== null && SQLSTATE.test(code) ? code : null;
}

/** Whether the error says that a migration is missing. */
export function isMissing(error: unknown): boolean {
  return MISSING.test(sqlState(error) ?? "");
}

/**
 * The error for a call that failed. Neither it nor its cause has anything of the request: clients put queries, parameters
 * and connection strings into theirs.
 *
 * @param call Who calls, and what: `Postgres: commit`.
 * @param error What the client threw. Without an SQLSTATE nobody knows what the server did. A client that does know throws a `DriverError` itself.
 */
export function driverError(call: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const state = sqlState(error);
  const code = member(error, "code");
  const shown = state !== null ? `SQLSTATE ${state}` : code !== null && SYSTEM_CODE.test(code) ? code : "no SQLSTATE, outcome unknown";
  return new DriverError(`${call} failed (${shown})`, {
    retryable: state === null || RETRYABLE.test(state),
    cause: sanitised(error, shown),
  });
}

function sanitised(error: unknown, shown: string): Error {
  const state = sqlState(error);
  const text = state !== null && SPEAKABLE.test(state) ? member(error, "message") : null;
  const cause = new Error(text === null ? shown : `${shown}: ${text}`);
  const name = member(error, "name");
  if (name !== null && /^[A-Za-z]{1,60}$/.test(name)) cause.name = name;
  return cause;
}

function member(error: unknown, name: string): string | null {
  const value = typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === "string" ? value : null;
}
