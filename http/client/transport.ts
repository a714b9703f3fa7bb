/**
 * Requests to the adapter, and their faults.
 *
 * @module
 */

import { type Clock, delay, systemClock } from "../../core/time/clock.ts";
import { DriverError, ParleyError, ValidationError, ValueTooLargeError } from "../../core/errors.ts";
import { attempt } from "../../core/time/retry.ts";
import { type TimeLimit, withTimeLimit } from "../../core/time/time_limit.ts";
import { decodeValue, encodeValue, envelope, type JsonText } from "../envelope.ts";
import { checkToken, isToken, PARLEY_JSON, toMountUrl } from "../protocol.ts";
import { quietly } from "../quietly.ts";
import { noAnswer } from "./failure.ts";

/** How much longer than the server's wait a request may take. */
const REQUEST_MS = 30_000;

/**
 * Whether the same request may succeed later, at any server or gateway. Cloudflare uses 520 to 530.
 */
function isTemporary(status: number): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

/**
 * The required part of `fetch`.
 *
 * @category From outside
 */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Options of `connect`.
 *
 * @category From outside
 */
export interface ConnectOptions {
  /** Where the adapter is mounted, such as `https://example.com/parley`. */
  url: string;
  /**
   * The token that the server's auth expects, or a function that returns one, for tokens that
   * expire. The function is called for each request.
   */
  token: string | (() => string | Promise<string>);
  /**
   * Another `fetch`, such as that of a Worker's service binding, or Hono's `app.request` in a test.
   * Default the runtime's.
   */
  fetch?: Fetch;
  /** The source of the time. Default the runtime's. */
  clock?: Clock;
  /**
   * Receives the faults that a wait or a reader survives, once per outage, and the notice that
   * answers come late. Default `console.error`.
   */
  onError?: (error: unknown) => void;
}

/** A request, and how its answer is read. */
export interface ClientRequest<T = unknown> {
  /** What is being done, for errors, such as `send`. */
  readonly operation: string;
  readonly method?: "GET" | "POST" | "DELETE";
  /** The path below the URL, with its parameters. */
  readonly path: string;
  /** The body. Its values come from {@linkcode encoded}. */
  readonly body?: unknown;
  /**
   * Turns the JSON of the answer into its value. By default the JSON is the value, for answers
   * without encoded values.
   */
  // deno-lint-ignore no-explicit-any -- the JSON of an answer of this library
  readonly read?: (json: any) => T;
  readonly signal?: AbortSignal | undefined;
  /** How long the server is asked to wait, in milliseconds. */
  readonly waitMs?: number;
}

/** Makes requests. */
export class ClientTransport {
  readonly clock: Clock;
  /** Reports a fault that the client survives. */
  readonly report: (error: unknown) => void;
  readonly #url: string;
  readonly #token: () => string | Promise<string>;
  readonly #fetch: Fetch;

  constructor(options: ConnectOptions) {
    const { url, token, fetch = (...args) => globalThis.fetch(...args), clock = systemClock } = options;
    this.report = quietly(options.onError ?? ((error) => console.error(error)));
    this.#url = toMountUrl(url, "Connecting");
    if (typeof token !== "function") {
      checkToken(token, "Connecting with a token that is not a function");
    }
    this.#token = typeof token === "function" ? token : () => token;
    this.#fetch = fetch;
    this.clock = clock;
  }

  /**
   * Makes a request, and repeats it after a temporary fault. Use it only for requests that may be
   * repeated.
   */
  async call<T>(request: ClientRequest<T>): Promise<T> {
    return await attempt(() => this.once(request), this.clock, request.signal);
  }

  /** Makes a request once, and reads its answer. */
  async once<T>(request: ClientRequest<T>): Promise<T> {
    const { signal, waitMs = 0, operation, read = (json) => json } = request;
    const ms = waitMs + REQUEST_MS;
    try {
      const [response, text] = await withTimeLimit(
        this.limit(ms, signal, () => new DOMException(`nothing within ${ms} ms`, "TimeoutError")),
        async ({ signal }) => {
          const response = await this.open(request, PARLEY_JSON, signal);
          return [response, await response.text()];
        },
      );
      return text === "" ? undefined as T : understood(response, operation, () => read(JSON.parse(text)));
    } catch (error) {
      throw asParleyError(error, operation, signal);
    }
  }

  /** Makes a request once, and returns the response if it is no error. */
  async open(
    { operation, method = "GET", path, body }: ClientRequest<unknown>,
    accept: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const text = body === undefined ? undefined : envelope(body);
    const response = await this.#fetch(`${this.#url}${path}`, {
      method,
      headers: {
        accept,
        authorization: `Bearer ${await this.#currentToken()}`,
        ...(text !== undefined && { "content-type": PARLEY_JSON }),
      },
      ...(text !== undefined && { body: text }),
      // A redirect is not followed. It would turn a POST into a GET, and so a start into a list.
      // The token is also not for another server.
      redirect: "manual",
      signal,
    });
    if (!response.ok) throw await toError(response, operation, text);
    return response;
  }

  /** A time limit for a part of a request. `late` makes the error when the time is up. */
  limit(ms: number, signal: AbortSignal | undefined, late: () => Error): TimeLimit {
    const error = (reason: "timeout" | "stopped") => reason === "timeout" ? late() : signal?.reason;
    return { ms, clock: this.clock, stop: signal, error };
  }

  async #currentToken(): Promise<string> {
    const failed = (cause?: unknown) =>
      new DriverError("Parley over HTTP: the function for the token must return a text of visible ASCII characters", {
        retryable: false,
        cause,
      });
    const token = await (async () => await this.#token())().catch((error) => {
      throw failed(error);
    });
    if (!isToken(token)) throw failed();
    return token;
  }
}

/**
 * Turns the error of a request into one of this library. If the caller has aborted, that is the
 * abort's reason. Otherwise it is a `DriverError` for an unknown outcome.
 */
export function asParleyError(error: unknown, operation: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof ParleyError) return error;
  return noAnswer(operation, error);
}

/**
 * A value as a member of a request's body. @throws {ValidationError} If it cannot be encoded,
 * before anything is sent.
 */
export function encoded(value: unknown, operation: string): JsonText {
  try {
    return encodeValue(value);
  } catch {
    throw new ValidationError(
      `Encoding what ${operation} sends: it must be made of JSON values and the other types that Parley can store`,
    );
  }
}

/**
 * Reads an answer. An answer of another content type, such as a gateway's, is not of this library.
 */
function understood<T>(response: Response, operation: string, read: () => T): T {
  try {
    if (!response.headers.get("content-type")?.startsWith(PARLEY_JSON)) throw new TypeError("foreign");
    return read();
  } catch {
    throw new DriverError(`Parley over HTTP: ${operation} got an answer that is not of this library`, {
      retryable: false,
    });
  }
}

/**
 * The error of an answer, as the same class as on the server. If the answer has none, the error
 * tells its status.
 */
async function toError(response: Response, operation: string, sent: string | undefined): Promise<Error> {
  const { status } = response;
  const text = await response.text();
  try {
    const problem: { error?: unknown; code?: unknown; limit?: unknown } = JSON.parse(text);
    if (problem.error !== undefined) {
      const error = decodeValue(problem.error);
      if (error instanceof ParleyError) return error;
    }
    if (problem.code === "body_too_large" && typeof problem.limit === "number") {
      return new ValueTooLargeError(`request of ${operation}`, new TextEncoder().encode(sent).length, problem.limit);
    }
    if (typeof problem.code === "string" && /^[a-z_]{1,40}$/.test(problem.code)) {
      return refused(operation, status, problem.code);
    }
  } catch {
    // The answer is not of this library, such as the page of a gateway.
  }
  return refused(operation, status);
}

/** What to look at if a server does not know a path. What is not in the store has errors of its own. */
const NOT_MOUNTED = ": the url must be where the adapter is mounted, with its path, such as https://example.com/parley";

function refused(operation: string, status: number, code?: string): DriverError {
  // In a browser, a redirect has status 0.
  const shown = status < 400
    ? "a redirect: the url must be that of the adapter itself"
    : `${status}${code === undefined ? "" : ` ${code}`}${status === 404 ? NOT_MOUNTED : ""}`;
  return new DriverError(`Parley over HTTP: ${operation} was answered with ${shown}`, {
    retryable: isTemporary(status),
  });
}

/** Pauses, and rejects when the signal aborts. */
export async function pauseFor(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(clock, ms, signal);
  signal?.throwIfAborted();
}
