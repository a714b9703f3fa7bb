/**
 * A local Neon: SQL over HTTP and the WebSocket, in front of any PostgreSQL. It behaves as
 * `wire.md` describes the real one.
 *
 * It cannot cut a connection, because a handler of `Deno.serve` does not hold it. The relay of
 * `../../../support/relay.ts` in front of it can.
 *
 * @module
 */

import { type FaultHandle, Faults } from "../../../support/http_faults.ts";
import { CancelledError, DatabaseError, errorBody, ProxyError } from "./errors.ts";
import { execute } from "./execute.ts";
import type { NeonFault, NeonRequest } from "./faults.ts";
import type { Address } from "./login.ts";
import { Pool } from "./pool.ts";
import { type Payload, readBody, readPayload, readSettings, type Settings } from "./request.ts";
import { serveWebSocket } from "./websocket.ts";

export type { FaultHandle } from "../../../support/http_faults.ts";
export { ANSWERS, type NeonFault, type NeonRequest } from "./faults.ts";
export type { Statement } from "./request.ts";

/** The most bytes of a request and of an answer. */
export interface Limits {
  requestBytes: number;
  responseBytes: number;
}

/** Options of {@linkcode startNeonServer}. */
export interface NeonServerOptions {
  /**
   * PostgreSQL's connection string. Only its host and port are used, because requests have their
   * own users, passwords and databases.
   */
  readonly postgres: string;
  /**
   * The limit of requests and answers. Default: 64 MiB. {@linkcode NeonServer.limits} changes it
   * later.
   */
  readonly maxBytes?: number;
  /** The most connections to PostgreSQL for HTTP. Default: 20. */
  readonly maxConnections?: number;
}

/** A running server. Disposing it ends every request, WebSocket and session. */
export interface NeonServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** The endpoint of SQL over HTTP: `http://127.0.0.1:PORT/sql`. */
  readonly http: string;
  /** The endpoint of the WebSocket: `ws://127.0.0.1:PORT/v2`. */
  readonly websocket: string;
  /** How many `POST /sql` reached the server. */
  readonly requests: number;
  /**
   * How many statements went to PostgreSQL over HTTP, without a batch's own transaction commands.
   */
  readonly statements: number;
  readonly websockets: { readonly opened: number; readonly open: number };
  readonly limits: Limits;
  /** Adds a fault. A request meets the first fault that matches it. */
  fault(fault: NeonFault): FaultHandle;
  /** Answers the next upgrades, so many of them, with this response in place of a WebSocket. */
  refuseWebSockets(answer: () => Response, options?: { times?: number }): FaultHandle;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_CONNECTIONS = 20;

/** Starts a server on a free port of 127.0.0.1. */
export function startNeonServer(options: NeonServerOptions): Promise<NeonServer> {
  return Promise.resolve(new Server(options));
}

class Server implements NeonServer {
  readonly hostname = "127.0.0.1";
  readonly port: number;
  readonly limits: Limits;
  requests = 0;
  statements = 0;
  readonly websockets = { opened: 0, open: 0 };
  readonly #address: Address;
  readonly #pool: Pool;
  readonly #faults = new Faults<NeonRequest>();
  readonly #refusals = new Faults<NeonRequest>();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor({ postgres, maxBytes = DEFAULT_MAX_BYTES, maxConnections = DEFAULT_MAX_CONNECTIONS }: NeonServerOptions) {
    const { hostname, port } = new URL(postgres);
    this.#address = { hostname, port: Number(port || 5432) };
    this.#pool = new Pool(this.#address, maxConnections);
    this.limits = { requestBytes: maxBytes, responseBytes: maxBytes };
    this.#server = Deno.serve(
      { hostname: this.hostname, port: 0, signal: this.#stop.signal, onListen: () => {} },
      (request) => this.#track(this.#handle(request)),
    );
    this.port = this.#server.addr.port;
  }

  get http(): string {
    return `http://${this.hostname}:${this.port}/sql`;
  }

  get websocket(): string {
    return `ws://${this.hostname}:${this.port}/v2`;
  }

  fault(fault: NeonFault): FaultHandle {
    return this.#faults.add(fault);
  }

  refuseWebSockets(answer: () => Response, { times = 1 }: { times?: number } = {}): FaultHandle {
    return this.#refusals.add({ answer, times });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#faults.end();
    this.#pool[Symbol.dispose]();
    await this.#server.finished;
    await Promise.allSettled(this.#running);
  }

  async #handle(request: Request): Promise<Response> {
    const response = await this.#answer(request);
    if (response.status !== 101) {
      response.headers.set("Neon-Request-Id", crypto.randomUUID());
      response.headers.set("Access-Control-Allow-Origin", "*");
    }
    return response;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.headers.get("Upgrade")?.toLowerCase() === "websocket") return await this.#upgrade(request);
    if (pathname === "/sql" && request.method === "POST") return await this.#sql(request);
    if (pathname === "/sql" && request.method === "OPTIONS") return preflight();
    return Response.json("query is not supported", { status: 400 });
  }

  async #sql(request: Request): Promise<Response> {
    const seen: { -readonly [K in keyof NeonRequest]: NeonRequest[K] } = {
      number: this.requests += 1,
      headers: request.headers,
      statements: [],
    };
    try {
      const settings = readSettings(request.headers);
      const payload = readPayload(await readBody(request, this.limits.requestBytes));
      seen.statements = payload.statements;
      return await this.#faults.answer("before", seen) ?? await this.#respond(request, seen, settings, payload);
    } catch (error) {
      return failed(error);
    }
  }

  async #respond(request: Request, seen: NeonRequest, settings: Settings, payload: Payload): Promise<Response> {
    if (!settings.rawText) {
      throw new ProxyError(501, "This server has no typed results; send Neon-Raw-Text-Output: true");
    }
    const running = execute({
      pool: this.#pool,
      settings,
      payload,
      maxBytes: this.limits.responseBytes,
      signal: request.signal,
      onStatement: () => this.statements += 1,
    });
    const response = await running.then(
      (body) => Response.json(body, { headers: payload.batch ? echoed(settings) : {} }),
      failed,
    );
    return await this.#faults.answer("after", seen) ?? response;
  }

  async #upgrade(request: Request): Promise<Response> {
    const refused = await this.#refusals.answer("before", { number: 0, headers: request.headers, statements: [] });
    if (refused) return refused;
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    const stop = () => socket.close();
    this.#stop.signal.addEventListener("abort", stop);
    this.websockets.opened += 1;
    this.websockets.open += 1;
    const served = serveWebSocket(socket, this.#address).finally(() => {
      this.websockets.open -= 1;
      this.#stop.signal.removeEventListener("abort", stop);
    });
    this.#track(served).catch(() => {});
    return response;
  }

  #track<T>(promise: Promise<T>): Promise<T> {
    const tracked = promise.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
    return tracked;
  }
}

function failed(error: unknown): Response {
  if (!(error instanceof ProxyError || error instanceof DatabaseError || error instanceof CancelledError)) {
    return Response.json(errorBody(error), { status: 500 });
  }
  return Response.json(errorBody(error), { status: error instanceof ProxyError ? error.status : 400 });
}

function echoed({ isolationLevel, readOnly, deferrable }: Settings): Record<string, string> {
  return {
    ...(readOnly ? { "Neon-Batch-Read-Only": "true" } : {}),
    ...(deferrable ? { "Neon-Batch-Deferrable": "true" } : {}),
    ...(isolationLevel ? { "Neon-Batch-Isolation-Level": isolationLevel } : {}),
  };
}

function preflight(): Response {
  return new Response(null, {
    headers: {
      "Allow": "OPTIONS, POST",
      "Access-Control-Allow-Origin": "*",
      "Access-Control-Allow-Headers":
        "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, Neon-Batch-Read-Only, Neon-Batch-Isolation-Level",
      "Access-Control-Max-Age": "86400",
    },
  });
}
