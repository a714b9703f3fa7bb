/**
 * The headers and the body of a `POST /sql`.
 *
 * @module
 */

import type { Login } from "./client.ts";
import { ProxyError } from "./errors.ts";

/** A statement to run. */
export interface Statement {
  readonly query: string;
  readonly params: readonly (string | null)[];
  /** Whether rows are arrays. Default: what the request's header says. */
  readonly arrayMode?: boolean | undefined;
}

/** The body of a request: one statement, or a batch, which is a transaction. */
export interface Payload {
  readonly statements: readonly Statement[];
  readonly batch: boolean;
}

/** The options that the headers contain. */
export interface Settings {
  readonly login: Login;
  readonly rawText: boolean;
  readonly arrayMode: boolean;
  readonly isolationLevel: string | undefined;
  readonly readOnly: boolean;
  readonly deferrable: boolean;
}

/** Isolation levels in SQL, by their names in the header. */
const ISOLATION_LEVELS: ReadonlyMap<string, string> = new Map([
  ["ReadUncommitted", "READ UNCOMMITTED"],
  ["ReadCommitted", "READ COMMITTED"],
  ["RepeatableRead", "REPEATABLE READ"],
  ["Serializable", "SERIALIZABLE"],
]);

/** @throws {ProxyError} If a header is missing or wrong. */
export function readSettings(headers: Headers): Settings {
  const login = readLogin(headers);
  const isolationLevel = headers.get("Neon-Batch-Isolation-Level") ?? undefined;
  if (isolationLevel !== undefined && !ISOLATION_LEVELS.has(isolationLevel)) {
    throw new ProxyError(400, "invalid isolation level");
  }
  const isTrue = (name: string) => headers.get(name) === "true";
  return {
    login,
    rawText: isTrue("Neon-Raw-Text-Output"),
    arrayMode: isTrue("Neon-Array-Mode"),
    isolationLevel,
    readOnly: isTrue("Neon-Batch-Read-Only"),
    deferrable: isTrue("Neon-Batch-Deferrable"),
  };
}

/** Returns the statement that begins a batch. */
export function startTransaction({ isolationLevel, readOnly, deferrable }: Settings): string {
  const modes = [
    isolationLevel && `ISOLATION LEVEL ${ISOLATION_LEVELS.get(isolationLevel)}`,
    readOnly && "READ ONLY",
    deferrable && "DEFERRABLE",
  ].filter(Boolean);
  return ["START TRANSACTION", modes.join(", ")].join(" ").trim();
}

function readLogin(headers: Headers): Login {
  const text = headers.get("Neon-Connection-String");
  if (text === null) throw new ProxyError(400, "invalid header: neon-connection-string");
  const url = URL.parse(text);
  if (!url) throw new ProxyError(400, "invalid connection string: relative URL without a base");
  if (!/^postgres(ql)?:$/.test(url.protocol)) throw new ProxyError(400, "incorrect scheme");
  const [, database = "", ...rest] = url.pathname.split("/");
  if (database === "") throw new ProxyError(400, "missing database name");
  if (rest.length > 0) throw new ProxyError(400, "invalid database name");
  if (url.username === "") throw new ProxyError(400, "missing username");
  if (headers.has("Authorization") || url.password === "") {
    throw new ProxyError(400, "missing authentication credentials: required password");
  }
  if (url.hostname === "") throw new ProxyError(400, "missing hostname");
  return {
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(database),
  };
}

/** @throws {ProxyError} If it is too long. */
export async function readBody(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = new ProxyError(413, `request is too large (max is ${maxBytes} bytes)`);
  if (Number(request.headers.get("Content-Length")) > maxBytes) throw tooLarge;
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** @throws {ProxyError} If it is neither a statement nor a batch. */
export function readPayload(body: string): Payload {
  const value = parse(body);
  const single = readStatement(value);
  if (single) return { statements: [single], batch: false };
  if (isRecord(value) && Array.isArray(value.queries)) {
    const statements = value.queries.map(readStatement).filter((it) => it !== undefined);
    if (statements.length === value.queries.length) return { statements, batch: true };
  }
  throw new ProxyError(400, `${CANNOT_PARSE}data did not match any variant of untagged enum Payload`);
}

const CANNOT_PARSE = "could not parse the HTTP request body: ";

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new ProxyError(400, `${CANNOT_PARSE}${error instanceof Error ? error.message : error}`);
  }
}

function readStatement(value: unknown): Statement | undefined {
  if (!isRecord(value)) return undefined;
  const { query, params = [], arrayMode } = value;
  if (typeof query !== "string" || !Array.isArray(params)) return undefined;
  if (arrayMode !== undefined && arrayMode !== null && typeof arrayMode !== "boolean") return undefined;
  return { query, params: params.map(parameterText), arrayMode: arrayMode ?? undefined };
}

/**
 * Writes a parameter as text: strings unchanged, arrays in the form of PostgreSQL, the rest as
 * JSON.
 */
function parameterText(value: unknown): string | null {
  if (value === null || typeof value === "string") return value;
  return Array.isArray(value) ? arrayText(value) : JSON.stringify(value);
}

function arrayText(value: unknown): string {
  if (value === null) return "NULL";
  if (Array.isArray(value)) return `{${value.map(arrayText).join(",")}}`;
  const json = JSON.stringify(value);
  return typeof value === "object" ? JSON.stringify(json) : json;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
