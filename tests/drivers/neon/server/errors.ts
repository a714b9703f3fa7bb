/**
 * Errors in the form that PostgreSQL sends, and in the form that Neon sends over HTTP.
 *
 * @module
 */

import { Body } from "./messages.ts";

/** The members of an error of PostgreSQL, by their names in Neon's JSON. */
const MEMBERS = {
  message: "M",
  code: "C",
  detail: "D",
  hint: "H",
  position: "P",
  internalPosition: "p",
  internalQuery: "q",
  severity: "V",
  where: "W",
  table: "t",
  column: "c",
  schema: "s",
  dataType: "d",
  constraint: "n",
  file: "F",
  line: "L",
  routine: "R",
} as const;

/** An error as the body of an answer. A member without a value is null. */
export type ErrorMembers = Record<keyof typeof MEMBERS, string | null>;

/** PostgreSQL answered with an error. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly members: ErrorMembers;

  constructor(members: ErrorMembers) {
    super(members.message ?? "");
    this.members = members;
  }

  /** The SQLSTATE. */
  get code(): string | null {
    return this.members.code;
  }
}

/** Neon's proxy answers with an error of its own. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The client went away. Its statement was cancelled or not begun. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";

  constructor() {
    super("Query cancelled, connection was terminated");
  }
}

/** Reads the body of an `ErrorResponse`. */
export function databaseError(body: Uint8Array): ErrorMembers {
  const fields = new Map<string, string>();
  const reader = new Body(body);
  while (!reader.atEnd) {
    const key = reader.text(1);
    if (key === "\0") break;
    fields.set(key, reader.cString());
  }
  return membersOf((field) => fields.get(field) ?? null);
}

/** Makes the body of an answer for a thrown error. */
export function errorBody(error: unknown): Partial<ErrorMembers> {
  if (error instanceof DatabaseError) return error.members;
  if (error instanceof CancelledError) return { message: error.message, code: "08P01" };
  const message = error instanceof Error ? error.message : String(error);
  return { ...membersOf(() => null), message, code: "", severity: "" };
}

/** SQLSTATEs of a refused login that Neon's proxy reports as its own error. */
const UNAVAILABLE = /^(53|57P0[1-5]|08)/;

/**
 * Makes the error for a failed connection. A wrong password loses its SQLSTATE. A server without
 * room is not the caller's fault.
 */
export function connectFailure(error: unknown, user: string): Error {
  if (!(error instanceof DatabaseError)) {
    return new ProxyError(500, `couldn't connect to compute node: ${error instanceof Error ? error.message : error}`);
  }
  const code = error.code ?? "";
  if (code.startsWith("28")) return new ProxyError(400, `password authentication failed for user '${user}'`);
  return UNAVAILABLE.test(code) ? new ProxyError(500, `${error.message} (SQLSTATE ${code})`) : error;
}

function membersOf(value: (field: string) => string | null): ErrorMembers {
  const members: Partial<ErrorMembers> = {};
  for (const [name, field] of Object.entries(MEMBERS)) members[name as keyof ErrorMembers] = value(field);
  return members as ErrorMembers;
}
