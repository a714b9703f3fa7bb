/**
 * Hints from the database: `LISTEN` on one connection for all watches, open while there are any.
 *
 * @module
 */

import { isMissing, sqlState } from "../postgres/driver_error.ts";
import type { PushStatements } from "../postgres/statements.ts";
import { type OpenConnection, PushConnection, type PushTiming } from "../push.ts";
import { MAX_CLOSE_MS, Session, type SessionOptions } from "./session.ts";

/**
 * Times that fit a proxy that is a few milliseconds away, and one at the other end of the world.
 */
export const NEON_PUSH_TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000 };

/** After so many beats without a sign the database takes a connection for dead. */
const MAX_SILENT_BEATS = 3;

/** Options of {@linkcode openNeonPush}. */
export interface NeonPushOptions {
  readonly session: Omit<SessionOptions, "onNotification">;
  readonly statements: PushStatements;
  readonly timing: PushTiming;
  /** Creates what is missing in the schema. */
  readonly migrate: () => Promise<void>;
  /** Called once if there is no push, with the reason. */
  readonly report: (problem: string) => void;
}

/** Makes a push that listens while there are watches. */
export function openNeonPush(options: NeonPushOptions): PushConnection {
  const { session, timing, report } = options;
  return new PushConnection({
    clock: session.clock,
    timing,
    report,
    describe,
    async connect(tell, stop) {
      return new Listener(
        await Session.open({ ...session, onNotification: (target) => tell([target]) }, stop),
        options,
      );
    },
  });
}

/** A session that listens, and that the database knows as a listener. */
class Listener implements OpenConnection {
  readonly lost: AbortSignal;
  readonly #session: Session;
  readonly #options: NeonPushOptions;
  /** The listener's name in the database. */
  readonly #name = crypto.randomUUID();
  #isKnown = false;

  constructor(session: Session, options: NeonPushOptions) {
    this.lost = session.lost;
    this.#session = session;
    this.#options = options;
  }

  async beat(over: AbortSignal): Promise<boolean> {
    const { statements, migrate } = this.#options;
    const kept = await this.#listen(over).catch(async (error) => {
      if (!isMissing(error)) throw error;
      await migrate();
      return await this.#listen(over);
    });
    this.#isKnown = true;
    if (!kept) await this.#session.query(statements.settle, [], { signal: over });
    return !kept;
  }

  async close(): Promise<void> {
    const { statements } = this.#options;
    if (this.#isKnown && !this.lost.aborted) {
      // If this fails, the database forgets the listener after a while.
      await this.#session.query(statements.unlisten, [this.#name], { limitMs: MAX_CLOSE_MS }).catch(() => {});
    }
    await this.#session.close();
  }

  /**
   * Listens, or extends the time for which it listens. Returns whether it has listened without a
   * gap.
   */
  async #listen(signal: AbortSignal): Promise<boolean> {
    const { statements, timing } = this.#options;
    const row = await this.#session.query<{ kept: boolean }>(statements.listen, [
      this.#name,
      timing.beatMs * MAX_SILENT_BEATS,
    ], { signal });
    return row?.kept === true;
  }
}

/**
 * Returns an SQLSTATE, or a name such as NotCapable, which means that Deno was not given a
 * permission.
 */
function describe(error: unknown): string | null {
  const state = sqlState(error);
  if (state !== null) return `SQLSTATE ${state}`;
  return error instanceof Error && error.name !== "Error" ? error.name : null;
}
