/**
 * SQL over HTTP, as Neon's proxy speaks it: one `POST` for each statement.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import { DriverError } from "../../core/errors.ts";
import type { RunQuery } from "../postgres/driver.ts";
import type { Address } from "./address.ts";

/** Something went wrong. What the server said is in `code` alone, or it is one of PostgreSQL's own errors. */
class RequestError extends Error {
  static {
    this.prototype.name = "RequestError";
  }
  /** An SQLSTATE, `HTTP_` and a status, `TIMEOUT` or `NO_ANSWER`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What the proxy says of a statement that was carried out. */
interface Result {
  readonly fields: readonly { readonly name: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Sends statements to the proxy.
 *
 * With an SQLSTATE the outcome is certain: the statement was not carried out. Otherwise nobody knows, and that is what the errors say; but for two that
 * are refused before anything is carried out, and would be again: a wrong password, and a request that is too large.
 *
 * @param address Where the database is.
 * @param timeoutMs How long a request may take, in milliseconds, until all of the answer is here.
 */
export function httpQuery(address: Address, timeoutMs: number, clock: Clock = systemClock): RunQuery {
  const headers = {
    "Neon-Connection-String": address.connectionString,
    "Neon-Raw-Text-Output": "true",
    "Neon-Array-Mode": "true",
  };
  return async (query, params) => {
    // A body that the runtime cannot send a second time: Deno's fetch repeats a POST whose body is a text if the connection breaks before the answer,
    // although the server may have carried it out. Measured with Deno 2.7 to 2.9: one INSERT left two rows.
    const body = new Blob([JSON.stringify({ query, params })]);
    // A redirect would take the password to another host.
    const init = { method: "POST", headers, body, redirect: "manual" } as const;
    const { status, text } = await within(timeoutMs, clock, (signal) => send(address.http, { ...init, signal }));
    if (status === 200) return toRows(parse(text) as Result | undefined);
    throw failure(status, text, body.size);
  };
}

async function send(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text() };
}

/** Runs with a signal that aborts when the time is up. */
async function within<T>(ms: number, clock: Clock, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeout = new AbortController();
  const stop = clock.after(ms, () => timeout.abort());
  try {
    return await run(timeout.signal);
  } catch (error) {
    if (timeout.signal.aborted) throw new RequestError("TIMEOUT", `no answer within ${ms} ms`, { cause: error });
    // What runtimes say of it holds the URL. A host that does not exist fails like one that went away in the middle, so the outcome is unknown.
    throw new RequestError("NO_ANSWER", "the host could not be reached, or broke the connection", { cause: error });
  } finally {
    stop();
  }
}

function toRows(result: Result | undefined): { rows: Record<string, unknown>[] } {
  // An answer of a proxy in between, say. The statement may have been carried out.
  if (!result?.fields || !result.rows) throw new RequestError("HTTP_200", "the answer is not that of Neon's proxy");
  return {
    rows: result.rows.map((row) => Object.fromEntries(row.map((value, index) => [result.fields[index]?.name, value]))),
  };
}

function failure(status: number, text: string, bytes: number): Error {
  const { code, message } = (status === 400 ? parse(text) ?? {} : {}) as { code?: unknown; message?: unknown };
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

/** `undefined` if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
