/**
 * A connection to PostgreSQL through a WebSocket, for hints.
 *
 * @module
 */

import type { Client, QueryResultRow } from "@neondatabase/serverless";
import type { Clock } from "../../core/time/clock.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import type { Login } from "./address.ts";

/**
 * How long to wait for the end of a connection, in milliseconds. A WebSocket whose other side is
 * gone never reports its end.
 */
export const MAX_CLOSE_MS = 1_000;

/** Options of {@linkcode Session.open}. */
export interface SessionOptions {
  readonly login: Login;
  readonly websocket: URL;
  /** How long opening and each query may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called with the text of each notification. */
  readonly onNotification: (text: string) => void;
}

/** A connection that is open. */
export class Session {
  /** Aborts when the connection is lost. */
  readonly lost: AbortSignal;
  readonly #client: Client;
  readonly #options: SessionOptions;
  readonly #ended: Promise<void>;
  #isOpen = false;

  private constructor(client: Client, options: SessionOptions) {
    const lost = new AbortController();
    this.lost = lost.signal;
    this.#client = client;
    this.#options = options;
    // An error without a listener would end the process. Errors come in twos, and not all of them
    // are instances of Error.
    client.on("error", () => lost.abort());
    this.#ended = new Promise((resolve) => client.on("end", () => resolve(lost.abort())));
    client.on("notification", ({ payload }) => {
      if (payload !== undefined) options.onNotification(payload);
    });
  }

  /**
   * Connects and logs in.
   *
   * @param stop Aborts when the session is no longer wanted, before it is open.
   * @throws Whatever prevents it. Nothing stays open then.
   */
  static async open(options: SessionOptions, stop: AbortSignal): Promise<Session> {
    // Imported when it is needed, because it reads the environment, for which Deno asks for a
    // permission.
    const { Client } = await import("@neondatabase/serverless");
    const { login, websocket } = options;
    const client = new Client({ ...login, application_name: "parley" });
    const session = new Session(client, options);
    const socket = client.neonConfig;
    socket.useSecureWebSocket = websocket.protocol === "wss:";
    socket.wsProxy = () => websocket.host + websocket.pathname + websocket.search;
    // Otherwise the package sends the password before the server asks for it, which fails if the
    // server asks for something else.
    socket.pipelineConnect = false;
    // Otherwise the package sends from a timer, where nothing catches the error of a WebSocket that
    // has closed meanwhile.
    socket.coalesceWrites = false;
    try {
      await session.#within(() => client.connect(), options.timeoutMs, stop);
      session.#isOpen = true;
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /**
   * Sends a statement and returns its first row. It rejects if the time is up, the signal aborts or
   * the connection is lost.
   */
  async query<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    { limitMs = this.#options.timeoutMs, signal }: { limitMs?: number; signal?: AbortSignal } = {},
  ): Promise<Row | undefined> {
    const { rows } = await this.#within(() => this.#client.query<Row>(text, [...values]), limitMs, signal);
    return rows[0];
  }

  /** Closes the connection. It never rejects, and waits for a second at most. */
  async close(): Promise<void> {
    try {
      if (!this.#isOpen || this.lost.aborted) this.#client.neonConfig.destroy();
      else this.#client.end().catch(() => {});
    } catch {
      // The package said goodbye while the WebSocket was closing.
    }
    await this.#within(() => this.#ended, MAX_CLOSE_MS).catch(() => {});
  }

  #within<T>(call: () => Promise<T>, ms: number, stop?: AbortSignal): Promise<T> {
    const error = () => new Error(`nothing within ${ms} ms`);
    return withTimeLimit({ ms, clock: this.#options.clock, stop, error }, call);
  }
}
