/**
 * Turns errors of a database client into {@linkcode DriverError}s.
 *
 * @module
 */

import { DriverError, ParleyError } from "../../core/errors.ts";
import { textMember } from "../foreign_error.ts";
import { isProgrammingError, programmingError } from "../programming_error.ts";
import { findCode } from "./find_code.ts";
import { describeViolation } from "./violation.ts";

/**
 * SQLSTATEs of calls that were not carried out, or whose outcome is unknown. In both cases the same
 * call may be made again.
 *
 * They mean, in this order: a connection failed, a standby takes no writes, a time limit of the
 * transaction or session has passed, a serialization failure or a deadlock, no resources, no lock,
 * a statement took too long, the server stops or starts.
 */
const RETRYABLE = /^(08...|25006|25P0[34]|4000[13]|40P01|53...|55P03|57014|57P0[1235])$/;

/**
 * SQLSTATEs for a missing schema, table or function. The first call on a database gets one, and so
 * does a call on an older schema.
 */
const MISSING = /^(3F000|42P01|42883)$/;

/**
 * Classes of SQLSTATEs whose texts the server writes by itself. Texts of other classes, such as 22
 * and 23, may quote data.
 */
const SPEAKABLE = /^(08|25|28|2D|3D|3F|40|42|53|55|57)/;

/** How texts of the driver's own functions begin. A message may show them. */
const OWN = /^Parley /;

/** Texts for errors of class 22, because the server's own texts quote data. */
const DATA_WORDS: Readonly<Record<string, string>> = {
  "22001": "a text is too long for its column",
  "22003": "a number is out of range",
  "22008": "a time is out of range",
  "22021":
    "a text has a character that the encoding of the database cannot hold; the database must have the encoding UTF8",
  "22023": "a parameter has a value that the function does not take",
  "22030": "a JSON object has a key twice",
  "22032": "the request is no valid JSON",
  "22P02": "a text does not have the form of its type",
  "22P05": "a text has a NUL or a character that the database cannot hold",
};

/**
 * On Cloudflare Workers, the socket of a client belongs to the request that opened it. Other requests
 * wait for its answers forever.
 */
const OF_ANOTHER_REQUEST = "; in a Worker, each request must make its own client and driver";

/** Says that a client got no answer in time. The statement may have been carried out. */
export class NoAnswerError extends Error {
  static {
    this.prototype.name = "NoAnswerError";
  }
  /** The code that errors show. */
  readonly code = "TIMEOUT";

  /** Makes the error for a limit in milliseconds. */
  constructor(ms: number) {
    const isWorkers = globalThis.navigator?.userAgent === "Cloudflare-Workers";
    super(`no answer within ${ms} ms, outcome unknown${isWorkers ? OF_ANOTHER_REQUEST : ""}`);
  }
}

/** Returns the SQLSTATE of an error, wherever the client keeps it; `null` if it has none. */
export function sqlState(error: unknown): string | null {
  return findCode(error).sqlState;
}

/** SQLSTATEs of a connection or a server that fails, which every statement would get. */
const OF_SERVER = /^(08|25|53|57P)/;

/** Tells whether a statement failed because of what it carried, and was not carried out. */
export function isOwnFailure(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && !OF_SERVER.test(state);
}

/** Tells whether an error says that a migration is missing. */
export function isMissing(error: unknown): boolean {
  return MISSING.test(sqlState(error) ?? "");
}

/**
 * Makes the error for a call that failed. Neither the error nor its cause contains anything of the
 * request. Errors of clients contain queries, parameters and connection strings.
 *
 * @param call The store and the call, as in `Postgres: commit`.
 * @param error What the client threw. Without an SQLSTATE the outcome is unknown. A client that
 * knows more throws a `DriverError` itself.
 */
export function driverError(call: string, error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  const { sqlState: state, systemCode, holder } = findCode(error);
  if (state === null && isProgrammingError(error)) return programmingError(call, error);
  if (isClosed(error, systemCode)) {
    const reason = "the client was closed before; close the Parley first";
    return new DriverError(`${call} failed: ${reason}`, { retryable: false, cause: sanitised(error, reason) });
  }
  const shown = state !== null ? describeState(state, error, holder) : systemCode ?? "no SQLSTATE, outcome unknown";
  const text = speakableText(state, error, holder);
  const own = text !== null && OWN.test(text) || state?.startsWith("22") || error instanceof NoAnswerError;
  return new DriverError(`${call} failed (${shown})${own && text !== null ? `: ${text}` : ""}`, {
    retryable: state === null || RETRYABLE.test(state),
    cause: sanitised(error, text === null ? shown : `${shown}: ${text}`),
  });
}

/** Whether the application has closed the client. postgres.js has a code for it, node-postgres a text. */
function isClosed(error: unknown, systemCode: string | null | undefined): boolean {
  return systemCode === "CONNECTION_ENDED" ||
    error instanceof Error &&
      /after calling end on the pool|^Client was closed and is not queryable/.test(error.message);
}

/** Names an SQLSTATE, and the table, column or constraint that the error is about. */
function describeState(state: string, error: unknown, holder: unknown): string {
  // Prisma's adapter has the server's text in `originalMessage`.
  const text = textMember(holder, "originalMessage") ?? textMember(holder, "message") ?? textMember(error, "message");
  const violation = describeViolation(state, holder, text);
  return `SQLSTATE ${state}${violation === null ? "" : `, ${violation}`}`;
}

/** Returns the text of an error if it contains no data. */
function speakableText(state: string | null, error: unknown, holder: unknown): string | null {
  if (error instanceof NoAnswerError) return error.message;
  if (state === null) return null;
  if (state.startsWith("22")) return DATA_WORDS[state] ?? "the data of a call is not what the function takes";
  return SPEAKABLE.test(state) ? textMember(holder, "message") ?? textMember(error, "message") : null;
}

function sanitised(error: unknown, text: string): Error {
  const cause = new Error(text);
  const name = textMember(error, "name");
  if (name !== null && /^[A-Za-z]{1,60}$/.test(name)) cause.name = name;
  return cause;
}
