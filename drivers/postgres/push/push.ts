/**
 * Hints from the database: `LISTEN` on one connection for all watches, open while there are any.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { ParleyError } from "../../../core/errors.ts";
import { withTimeLimit } from "../../../core/time/time_limit.ts";
import { type OpenConnection, PushConnection, type PushTiming, type Tell } from "../../push.ts";
import { isMissing, sqlState } from "../driver_error.ts";
import type { RunQuery } from "../calls/sql_calls.ts";
import type { PushStatements } from "../calls/statements.ts";

/** A connection that listens to channels. */
export interface ListeningConnection {
  /** Aborts when the connection is lost, if this shows without a beat. */
  readonly lost: AbortSignal;
  /** Sends a statement, over this or another connection. */
  readonly query: RunQuery;
  /** Closes the connection. It never rejects, and returns soon. */
  close(): Promise<void>;
}

/** What a connection reports. */
export interface ListeningEvents {
  /** Call it with the text of each notification, and its channel. */
  readonly notified: (text: string, channel: string) => void;
  /** Call it when the connection listens again after a gap. */
  readonly resumed: () => void;
}

/**
 * Opens a connection that listens to channels. Their names need no quotes.
 *
 * @param stop Aborts if the connection is no longer wanted before it listens.
 * @throws Whatever prevents it. Nothing stays open then.
 */
export type OpenListening = (
  channels: readonly string[],
  events: ListeningEvents,
  stop: AbortSignal,
) => Promise<ListeningConnection>;

/** Times that fit any distance to the server, from the same room to the other end of the world. */
export const SQL_PUSH_TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000 };

/** The number of beats without a sign after which the database takes a listener for dead. */
const MAX_SILENT_BEATS = 3;

/** How long to wait for the listener's own notification, which takes milliseconds. */
export const MAX_HEARING_MS = 5_000;

/** How long a listener that leaves waits for the database, in milliseconds. */
const MAX_LEAVING_MS = 1_000;

/** Options of {@linkcode openSqlPush}. */
export interface SqlPushOptions {
  readonly open: OpenListening;
  readonly statements: PushStatements;
  readonly timing: PushTiming;
  readonly clock: Clock;
  /** Creates what is missing in the schema. */
  readonly migrate: () => Promise<void>;
  /** Called once if there is no push, with the reason. */
  readonly report: (problem: string) => void;
}

/** Makes a push that listens while there are watches. */
export function openSqlPush(options: SqlPushOptions): PushConnection {
  const { clock, timing, report } = options;
  const connect = (tell: Tell, stop: AbortSignal) => Listener.open(options, tell, stop);
  return new PushConnection({ clock, timing, report, describe: describePushFault, connect });
}

/** Says that a connection listens, and gets no notification. */
export class NotHeardError extends Error {
  constructor() {
    super("no notification arrives; a pooler in transaction mode, for example, does not pass them on");
  }
}

/** A connection that listens, and that the database knows as a listener. */
class Listener implements OpenConnection {
  readonly lost: AbortSignal;
  readonly #connection: ListeningConnection;
  readonly #options: SqlPushOptions;
  readonly #ear: Ear;
  #isKnown = false;

  private constructor(connection: ListeningConnection, options: SqlPushOptions, ear: Ear) {
    this.lost = connection.lost;
    this.#connection = connection;
    this.#options = options;
    this.#ear = ear;
  }

  static async open(options: SqlPushOptions, tell: Tell, stop: AbortSignal): Promise<Listener> {
    const ear = new Ear(tell);
    return new Listener(await options.open([options.statements.channel], ear, stop), options, ear);
  }

  async beat(over: AbortSignal): Promise<boolean> {
    const { statements, migrate, clock } = this.#options;
    const heard = this.#ear.hear();
    const kept = await this.#listen(over).catch(async (error) => {
      if (!isMissing(error)) throw error;
      await migrate();
      return await this.#listen(over);
    });
    this.#isKnown = true;
    const limit = { ms: MAX_HEARING_MS, clock, stop: over, error: () => new NotHeardError() };
    await withTimeLimit(limit, () => heard);
    if (!kept) await this.#connection.query(statements.settle, [], over);
    return !kept;
  }

  async close(): Promise<void> {
    const { statements, clock } = this.#options;
    if (this.#isKnown) {
      const limit = { ms: MAX_LEAVING_MS, clock, error: () => new Error("no answer") };
      // If this fails, the database forgets the listener after a while.
      await withTimeLimit(limit, ({ signal }) => this.#connection.query(statements.unlisten, [this.#ear.name], signal))
        .catch(() => {});
    }
    await this.#connection.close();
  }

  /**
   * Registers the listener, or extends the time for which it is registered. Returns whether it has
   * been registered without a gap.
   */
  async #listen(stop: AbortSignal): Promise<boolean> {
    const { statements, timing } = this.#options;
    const params = [this.#ear.name, `${timing.beatMs * MAX_SILENT_BEATS}`];
    const { rows: [row] } = await this.#connection.query(statements.listen, params, stop);
    return row?.kept === "true";
  }
}

/** Takes the notifications of a connection. Some of them prove that the connection works. */
class Ear implements ListeningEvents {
  /** The listener's name in the database. */
  readonly name = crypto.randomUUID();
  readonly #tell: Tell;
  #onName = () => {};

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** Resolves at the next notification of the listener's own name. */
  hear(): Promise<void> {
    return new Promise((resolve) => this.#onName = resolve);
  }

  readonly notified = (text: string): void => {
    if (text === this.name) this.#onName();
    else this.#tell([text]);
  };

  readonly resumed = (): void => this.#tell("all");
}

/**
 * Returns what an error says without data. That is an SQLSTATE, or a name such as NotCapable, which
 * means that Deno lacks a permission.
 */
export function describePushFault(error: unknown): string | null {
  if (error instanceof NotHeardError || error instanceof ParleyError) return error.message;
  const state = sqlState(error);
  if (state !== null) return `SQLSTATE ${state}`;
  return error instanceof Error && error.name !== "Error" ? error.name : null;
}
