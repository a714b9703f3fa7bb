/**
 * Turns errors of SQLite into {@linkcode DriverError}s.
 *
 * @module
 */

import { DriverError, ParleyError } from "../../core/errors.ts";
import { textMember } from "../foreign_error.ts";
import { isProgrammingError, programmingError } from "../programming_error.ts";

/** Says that a call has to wait until the connection is free. */
export class BusyError extends Error {
  static {
    this.prototype.name = "BusyError";
  }
}

/** What the primary codes of SQLite mean, for errors that the same call may not get again. */
const PASSING: Readonly<Record<number, string>> = {
  5: "SQLITE_BUSY: another connection has locked the database",
  6: "SQLITE_LOCKED: a table is locked",
  7: "SQLITE_NOMEM: there is not enough memory",
  9: "SQLITE_INTERRUPT: the call was interrupted",
  10: "SQLITE_IOERR: the file cannot be read or written",
  13: "SQLITE_FULL: the disk is full",
  14: "SQLITE_CANTOPEN: a file cannot be opened",
  15: "SQLITE_PROTOCOL: the locks of the file do not work",
};

/** The same for errors that every repeat would get. */
const LASTING: Readonly<Record<number, string>> = {
  8: "SQLITE_READONLY: the database is read-only",
  11: "SQLITE_CORRUPT: the file is damaged",
  18: "SQLITE_TOOBIG: a text is too long for SQLite",
  19: "SQLITE_CONSTRAINT: a rule of the schema is broken",
  26: "SQLITE_NOTADB: the file is not a database",
};

/** The names that better-sqlite3 and Durable Objects give in place of numbers. */
const NAMES = new Map(
  [...Object.entries(PASSING), ...Object.entries(LASTING)].map(([code, text]) => [text.split(":")[0], Number(code)]),
);

/** Whether the call may be made again once the database is free. */
export function isBusy(error: unknown): boolean {
  return error instanceof BusyError || codeOf(error) === 5 || /database (table )?is locked/.test(messageOf(error));
}

/**
 * Makes the error for a call that failed. It contains nothing of the request, and only the texts of
 * this file.
 *
 * @param call The store and the call, as in `SQLite: commit`.
 */
export function driverError(call: string, error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  if (error instanceof BusyError) return new DriverError(`${call} failed: ${error.message}`, { retryable: true });
  const code = isBusy(error) ? 5 : codeOf(error);
  if (code === null && isProgrammingError(error)) return programmingError(call, error);
  const passing = code === null ? undefined : PASSING[code];
  const shown = passing ?? (code === null ? undefined : LASTING[code]) ?? `SQLite's code ${code ?? "is unknown"}`;
  return new DriverError(`${call} failed (${shown})`, { retryable: passing !== undefined });
}

/** The primary code of SQLite, wherever a client keeps it; `null` if there is none. */
function codeOf(error: unknown): number | null {
  for (const name of ["errcode", "errno"]) {
    const code = typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
    if (typeof code === "number" && code > 0) return code & 0xff;
  }
  const text = `${textMember(error, "code") ?? ""} ${messageOf(error)}`;
  const name =
    /\bSQLITE_(BUSY|LOCKED|NOMEM|INTERRUPT|IOERR|FULL|CANTOPEN|PROTOCOL|READONLY|CORRUPT|TOOBIG|CONSTRAINT|NOTADB)/
      .exec(text)?.[0];
  return name === undefined ? null : NAMES.get(name) ?? null;
}

function messageOf(error: unknown): string {
  return textMember(error, "message") ?? "";
}
