/**
 * One connection to PostgreSQL through a WebSocket, for hints.
 *
 * @module
 */

import type { Client, QueryResultRow } from "@neondatabase/serverless";
import { type Clock, delay } from "../../core/time/clock.ts";
import type { Login } from "./address.ts";

/** How long the end of a connection is waited for, in milliseconds. A WebSocket whose other side is gone never says that it is closed. */
export const CLOSE_MS = 1_000;

/** How to open a session. */
export interface SessionOptions {
  readonly login: Login;
  readonly websocket: URL;
  /** How long opening and each query may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Gets the text of each notification. */
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
    // Without a listener for errors, one would end the process. They come in twos, and not all are instances of Error.
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
   * @throws Whatever was in the way. Nothing is left open then.
   */
  static async open(options: SessionOptions, stop: AbortSignal): Promise<Session> {
    // Not before it is needed: it reads the environment, for which Deno wants a permission.
    const { Client } = await import("@neondatabase/serverless");
    const { login, websocket } = options;
    const client = new Client({ ...login, application_name: "parley" });
    const session = new Session(client, options);
    const socket = client.neonConfig;
    socket.useSecureWebSocket = websocket.protocol === "wss:";
    socket.wsProxy = () => websocket.host + websocket.pathname + websocket.search;
    // The package would send the password before it is asked for, which fails where something else is asked for.
    socket.pipelineConnect = false;
    // It would send from a timer, where nobody catches what a WebSocket throws that has closed meanwhile.
    socket.coalesceWrites = false;
    try {
      await session.#within(client.connect(), options.timeoutMs, stop);
      session.#isOpen = true;
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Sends a statement and answers with its first row. It rejects if the time is up, the signal aborts or the connection is lost. */
  async query<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    { limitMs = this.#options.timeoutMs, signal }: { limitMs?: number; signal?: AbortSignal } = {},
  ): Promise<Row | undefined> {
    const { rows } = await this.#within(this.#client.query<Row>(text, [...values]), limitMs, signal);
    return rows[0];
  }

  /** Closes the connection. It never rejects, and does not wait long. */
  async close(): Promise<void> {
    try {
      if (!this.#isOpen || this.lost.aborted) this.#client.neonConfig.destroy();
      else this.#client.end().catch(() => {});
    } catch {
      // It said goodbye, and the WebSocket was closing.
    }
    await this.#within(this.#ended, CLOSE_MS).catch(() => {});
  }

  /** The promise, or a rejection when the time is up or the signal aborts. */
  async #within<T>(promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
    const settled = new AbortController();
    const late = delay(this.#options.clock, ms, signal ? AbortSignal.any([signal, settled.signal]) : settled.signal);
    try {
      return await Promise.race([promise, late.then(() => Promise.reject(new Error(`nothing within ${ms} ms`)))]);
    } finally {
      settled.abort();
    }
  }
}
