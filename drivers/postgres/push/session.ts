/**
 * A connection of node-postgres, or of Neon's package, which has the same client.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { withTimeLimit } from "../../../core/time/time_limit.ts";
import type { RunQuery } from "../calls/sql_calls.ts";

/** How long to wait for the end of a connection, in milliseconds. A dead one never ends. */
const MAX_CLOSE_MS = 1_000;

/** What a session uses of a `Client`. */
export interface SessionClient {
  connect(): Promise<unknown>;
  query(text: string, params: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
  on(event: "error" | "end", listener: () => void): unknown;
  on(
    event: "notification",
    listener: (notification: { payload?: string | undefined; channel: string }) => void,
  ): unknown;
}

/** Options of {@linkcode Session.open}. */
export interface SessionOptions {
  readonly client: SessionClient;
  /** Closes a connection that is not open yet, or is dead. */
  readonly destroy: () => void;
  /** How long opening and each query may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called with the text of each notification, and its channel. */
  readonly notified: (text: string, channel: string) => void;
}

/** A connection that is open. */
export class Session {
  /** Aborts when the connection is lost. */
  readonly lost: AbortSignal;
  readonly #options: SessionOptions;
  readonly #ended: Promise<void>;
  #isOpen = false;

  private constructor(options: SessionOptions) {
    const { client, notified } = options;
    const lost = new AbortController();
    this.lost = lost.signal;
    this.#options = options;
    // An error without a listener would end the process. Errors come in twos, and not all of them
    // are instances of Error.
    client.on("error", () => lost.abort());
    this.#ended = new Promise((resolve) => client.on("end", () => resolve(lost.abort())));
    client.on("notification", ({ payload = "", channel }) => notified(payload, channel));
  }

  /**
   * Connects and logs in.
   *
   * @param stop Aborts when the session is no longer wanted, before it is open.
   * @throws Whatever prevents it. Nothing stays open then.
   */
  static async open(options: SessionOptions, stop: AbortSignal): Promise<Session> {
    const session = new Session(options);
    try {
      await session.#within(options.timeoutMs, () => options.client.connect(), stop);
      session.#isOpen = true;
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** Opens a session that listens to channels. See {@linkcode Session.open}. */
  static async listen(options: SessionOptions, channels: readonly string[], stop: AbortSignal): Promise<Session> {
    const session = await Session.open(options, stop);
    try {
      for (const channel of channels) await session.query(`listen ${channel}`, [], stop);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** Sends a statement. It rejects if the time is up, `stop` aborts or the connection is lost. */
  readonly query: RunQuery = async (text, params, stop) => {
    this.lost.throwIfAborted();
    return await this.#within(this.#options.timeoutMs, () => this.#options.client.query(text, params), stop);
  };

  /** Closes the connection. It never rejects, and waits for a second at most. */
  async close(): Promise<void> {
    const { client, destroy } = this.#options;
    try {
      if (!this.#isOpen || this.lost.aborted) destroy();
      else client.end().catch(() => {});
    } catch {
      // Neon's package throws if it says goodbye while the WebSocket is closing.
    }
    await this.#within(MAX_CLOSE_MS, () => this.#ended).catch(destroy).catch(() => {});
  }

  #within<T>(ms: number, call: () => Promise<T>, stop?: AbortSignal): Promise<T> {
    const error = () => new Error(`nothing within ${ms} ms`);
    return withTimeLimit({ ms, clock: this.#options.clock, stop, error }, call);
  }
}
