/**
 * SQL over HTTP, in the protocol of Neon's proxy: one `POST` per statement.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import { DriverError } from "../../core/errors.ts";
import type { RunQuery } from "../postgres/calls/sql_calls.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import { readJson } from "../read_json.ts";
import type { NeonAddress } from "./address.ts";

/** The part of the schema that an error is about. */
interface Part {
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
}

/**
 * A request that failed. It has one of PostgreSQL's own errors, or only a code and a text of the
 * driver.
 */
class RequestError extends Error {
  static {
    this.prototype.name = "RequestError";
  }
  /** An SQLSTATE, `HTTP_` with a status, `TIMEOUT` or `NO_ANSWER`. */
  readonly code: string;
  /** What PostgreSQL's error is about, as the proxy names it. */
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;

  constructor(code: string, message: string, options?: ErrorOptions & Part) {
    super(message, options);
    this.code = code;
    if (!options) return;
    this.table = options.table;
    this.column = options.column;
    this.constraint = options.constraint;
  }
}

/** The proxy's answer for a statement that was carried out. */
interface Result {
  readonly fields: readonly { readonly name: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Makes a function that sends statements to the proxy.
 *
 * An error with an SQLSTATE means that the statement was not carried out. For other errors the
 * outcome is unknown, with two exceptions. The proxy refuses a wrong password, and a request that
 * is too large, before it does anything. It would refuse them again.
 *
 * @param address The address of the database.
 * @param timeoutMs How long a request may take, in milliseconds, until the whole answer has
 * arrived.
 */
export function httpQuery(address: NeonAddress, timeoutMs: number, clock: Clock = systemClock): RunQuery {
  const headers = {
    "Neon-Connection-String": address.connectionString,
    "Neon-Raw-Text-Output": "true",
    "Neon-Array-Mode": "true",
  };
  const limit = {
    ms: timeoutMs,
    clock,
    error: () => new RequestError("TIMEOUT", `no answer within ${timeoutMs} ms`),
  };
  return async (query, params) => {
    // The runtime cannot send a Blob a second time. If a connection breaks before the answer,
    // Deno's fetch repeats a POST whose body is a text. But the server may have carried it out. In
    // Deno 2.7 to 2.9, one INSERT left two rows.
    const body = new Blob([JSON.stringify({ query, params })]);
    // A redirect would take the password to another host.
    const init = { method: "POST", headers, body, redirect: "manual" } as const;
    const { status, text } = await withTimeLimit(limit, ({ signal }) => send(address.http, { ...init, signal }))
      .catch((error) => {
        throw error instanceof RequestError ? error : unreachable(error);
      });
    if (status === 200) return toRows(readJson(text) as Result | undefined);
    throw failure(status, text, body.size);
  };
}

async function send(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text() };
}

/**
 * The error for a `fetch` that has failed. Its own text may contain the URL. The outcome is
 * unknown, because a host that does not exist fails like one that went away during the request.
 */
function unreachable(error: unknown): RequestError {
  return new RequestError("NO_ANSWER", "the host could not be reached, or broke the connection", { cause: error });
}

function toRows(result: Result | undefined): { rows: Record<string, unknown>[] } {
  // For example the answer of another proxy on the way. The statement may have been carried out.
  if (!result?.fields || !result.rows) throw new RequestError("HTTP_200", "the answer is not that of Neon's proxy");
  return {
    rows: result.rows.map((row) => Object.fromEntries(row.map((value, index) => [result.fields[index]?.name, value]))),
  };
}

function failure(status: number, text: string, bytes: number): Error {
  const { code, message } = (status === 400 ? readJson(text) ?? {} : {}) as { code?: unknown; message?: unknown };
  if (typeof code === "string" && code !== "") return new RequestError(code, String(message));
  if (status === 413) {
    return new DriverError(`Neon: a request of ${bytes} bytes failed (HTTP_413): it must be smaller`, {
      retryable: false,
    });
  }
  if (typeof message === "string" && message.startsWith("password authentication failed")) {
    return new DriverError("Neon: logging in failed: user and password must be those of a role of the database", {
      retryable: false,
    });
  }
  return new RequestError(`HTTP_${status}`, "the request failed");
}
