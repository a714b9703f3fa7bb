/**
 * Hints from the database: `LISTEN` on one connection, however many watch, while somebody does.
 *
 * @module
 */

import { isMissing, sqlState } from "../postgres/failure.ts";
import type { PushStatements } from "../postgres/statements.ts";
import { type Connection, Push, type PushTiming } from "../push.ts";
import { CLOSE_MS, Session, type SessionOptions } from "./session.ts";

export { Push, type PushTiming } from "../push.ts";

/** What fits a proxy a few milliseconds away, and one at the other end of the world. */
export const TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000 };

/** How many beats a connection may miss until the database takes it for dead. */
const BEATS_TO_LIVE = 3;

/** See {@linkcode openPush}. */
export interface NeonPushOptions {
  readonly session: Omit<SessionOptions, "onNotification">;
  readonly statements: PushStatements;
  readonly timing: PushTiming;
  /** Creates what is missing in the database. */
  readonly migrate: () => Promise<void>;
  /** Is told, once, that there is no push. */
  readonly report: (problem: string) => void;
}

/** Makes a push that listens while somebody watches. */
export function openPush(options: NeonPushOptions): Push {
  const { session, timing, report } = options;
  return new Push({
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

/** A session that listens, and is known to do so. */
class Listener implements Connection {
  readonly lost: AbortSignal;
  readonly #session: Session;
  readonly #options: NeonPushOptions;
  /** What it is known by. */
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
      // If it is in vain, the database forgets the session by itself.
      await this.#session.query(statements.unlisten, [this.#name], { limitMs: CLOSE_MS }).catch(() => {});
    }
    await this.#session.close();
  }

  /** Listens, or says that it still does. Answers whether it has done so all the time. */
  async #listen(signal: AbortSignal): Promise<boolean> {
    const { statements, timing } = this.#options;
    const row = await this.#session.query<{ kept: boolean }>(statements.listen, [
      this.#name,
      timing.beatMs * BEATS_TO_LIVE,
    ], { signal });
    return row?.kept === true;
  }
}

/** An SQLSTATE, or a name such as NotCapable, where Deno was not given a permission. */
function describe(error: unknown): string | null {
  const state = sqlState(error);
  if (state !== null) return `SQLSTATE ${state}`;
  return error instanceof Error && error.name !== "Error" ? error.name : null;
}
