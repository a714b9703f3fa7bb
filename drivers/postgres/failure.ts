/**
 * Errors of a database client as {@linkcode DriverError}.
 *
 * @module
 */

import { DriverError, ParleyError } from "../../core/errors.ts";
import { findCode } from "./codes.ts";

/**
 * The call was not carried out, or its outcome is unknown; in both cases it may be made again: connection exceptions,
 * a server that only reads since it is a standby at the moment, time limits of transactions and sessions, serialization failure and deadlock,
 * no resources, no lock, a statement that took too long, a server that stops or starts.
 */
const RETRYABLE = /^(08...|25006|25P0[34]|4000[13]|40P01|53...|55P03|57014|57P0[1235])$/;

/** No such schema, table or function: what the first call finds, and an older schema. */
const MISSING = /^(3F000|42P01|42883)$/;

/** Whether the text of an error comes from the server alone. Others, as those of class 22 and 23, may quote the data. */
const SPEAKABLE = /^(08|25|28|3D|3F|40|42|53|55|57)/;

/** What the driver's own functions say begins so, and is good to read in a message. */
const OWN = /^Parley /;

/** Errors of class 22, whose own texts quote data. */
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

/** A client got no answer in time. The statement may have been carried out. */
export class NoAnswerError extends Error {
  static {
    this.prototype.name = "NoAnswerError";
  }
  /** As errors show it. */
  readonly code = "TIMEOUT";

  /** Makes the error, for a limit in milliseconds. */
  constructor(ms: number) {
    super(`no answer within ${ms} ms, outcome unknown`);
  }
}

/** The SQLSTATE of an error, if it has one, wherever the client keeps it. */
export function sqlState(error: unknown): string | null {
  return findCode(error).sqlState;
}

/** Whether the error says that a migration is missing. */
export function isMissing(error: unknown): boolean {
  return MISSING.test(sqlState(error) ?? "");
}

/** Whether an error is a mistake in the code of a client or of this driver: it would come again. */
export function isProgrammingError(error: unknown): error is Error {
  if (!(error instanceof Error) || !/^(TypeError|ReferenceError)$/.test(error.name)) return false;
  // `fetch` tells of a network that fails with a TypeError: with a cause in Node, with a code in Bun, and elsewhere in words alone.
  return error.cause === undefined && !("code" in error) &&
    !/fetch|network|connection|sending request|load failed/i.test(error.message);
}

/**
 * The error for a call that failed. Neither it nor its cause has anything of the request: clients put queries, parameters
 * and connection strings into theirs.
 *
 * @param call Who calls, and what: `Postgres: commit`.
 * @param error What the client threw. Without an SQLSTATE nobody knows what the server did. A client that does know throws a `DriverError` itself.
 */
export function driverError(call: string, error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  const { sqlState: state, systemCode, holder } = findCode(error);
  if (state === null && isProgrammingError(error)) {
    return new DriverError(`${call} failed (${error.name} in the client or the driver)`, {
      retryable: false,
      cause: withoutMessage(error),
    });
  }
  const shown = state !== null ? `SQLSTATE ${state}` : systemCode ?? "no SQLSTATE, outcome unknown";
  const text = speakableText(state, error, holder);
  const own = text !== null && OWN.test(text) || state?.startsWith("22") || error instanceof NoAnswerError;
  return new DriverError(`${call} failed (${shown})${own && text !== null ? `: ${text}` : ""}`, {
    retryable: state === null || RETRYABLE.test(state),
    cause: sanitised(error, text === null ? shown : `${shown}: ${text}`),
  });
}

/** What an error says, if that has no data. */
function speakableText(state: string | null, error: unknown, holder: unknown): string | null {
  if (error instanceof NoAnswerError) return error.message;
  if (state === null) return null;
  if (state.startsWith("22")) return DATA_WORDS[state] ?? "the data of a call is not what the function takes";
  return SPEAKABLE.test(state) ? member(holder, "message") ?? member(error, "message") : null;
}

function sanitised(error: unknown, text: string): Error {
  const cause = new Error(text);
  const name = member(error, "name");
  if (name !== null && /^[A-Za-z]{1,60}$/.test(name)) cause.name = name;
  return cause;
}

/** Where it happened. What it says may quote a value, as in `Cannot create property 'a' on string '...'`. */
function withoutMessage(error: Error): Error {
  const cause = new Error(`a ${error.name}, whose message may have data in it`);
  cause.name = error.name;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  cause.stack = [`${cause.name}: ${cause.message}`, ...frames].join("\n");
  return cause;
}

function member(error: unknown, name: string): string | null {
  const value = typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === "string" ? value : null;
}
