/**
 * Hints from the database: `LISTEN` on one connection, however many watch, while somebody does.
 *
 * @module
 */

import { type Clock, delay } from "../../core/clock.ts";
import type { Watch, WatchTarget } from "../../core/driver.ts";
import { isMissing, sqlState } from "../postgres/failure.ts";
import type { PushStatements } from "../postgres/statements.ts";
import { CLOSE_MS, Session, type SessionOptions } from "./session.ts";

/** When connections open, close and are looked after, in milliseconds. */
export interface PushTiming {
  /**
   * About how long somebody must have watched before a connection is opened, and the first delay before it is opened again. Most waits
   * look, find what they want, and are over by then.
   */
  readonly openAfterMs: number;
  /** How long the connection outlives the last watch: the next one often comes soon. */
  readonly lingerMs: number;
  /** How often the connection is looked after. */
  readonly beatMs: number;
}

/** What fits a proxy a few milliseconds away, and one at the other end of the world. */
export const TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000 };

/** How many beats a connection may miss until the database takes it for dead. */
const BEATS_TO_LIVE = 3;
const LONGEST_BACKOFF_MS = 30_000;
/** After so many failures in a row somebody should know. */
const FAILURES_TO_REPORT = 3;

/** See {@linkcode Push}. */
export interface PushOptions {
  readonly session: Omit<SessionOptions, "onNotification">;
  readonly statements: PushStatements;
  readonly timing: PushTiming;
  /** Creates what is missing in the database. */
  readonly migrate: () => Promise<void>;
  /** Is told, once, that there is no push. */
  readonly report: (problem: string) => void;
}

interface Subscription {
  readonly hint: () => void;
  open: boolean;
}

/** Who watches what, and the connection that tells them. */
export class Push {
  readonly #options: PushOptions;
  readonly #clock: Clock;
  readonly #watchers = new Map<string, Set<Subscription>>();
  #live = false;
  #reported = false;
  #stop = new AbortController();
  #stopLinger = () => {};
  #running: Promise<void> | undefined;

  constructor(options: PushOptions) {
    this.#options = options;
    this.#clock = options.session.clock;
  }

  /** Settles when there is no connection and none is being opened. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** See `Driver.watch`. */
  watch(target: WatchTarget, hint: () => void): Watch {
    const subscription: Subscription = { hint, open: true };
    const watchers = this.#watchers.get(target) ?? new Set();
    this.#watchers.set(target, watchers.add(subscription));
    this.#stopLinger();
    this.#running ??= this.#run().finally(() => this.#running = undefined);
    const isLive = () => subscription.open && this.#live;
    return {
      get live() {
        return isLive();
      },
      close: () => this.#close(subscription, target),
    };
  }

  #close(subscription: Subscription, target: WatchTarget): void {
    subscription.open = false;
    const watchers = this.#watchers.get(target);
    if (!watchers?.delete(subscription) || watchers.size > 0) return;
    this.#watchers.delete(target);
    if (this.#watchers.size > 0) return;
    if (this.#live) this.#stopLinger = this.#clock.after(this.#options.timing.lingerMs, () => this.#stop.abort());
    else queueMicrotask(() => this.#watchers.size > 0 || this.#stop.abort());
  }

  /** Keeps a connection open for as long as somebody watches. */
  async #run(): Promise<void> {
    do {
      this.#stop = new AbortController();
      await this.#connectAgainAndAgain(this.#stop.signal);
    } while (this.#watchers.size > 0);
  }

  async #connectAgainAndAgain(stop: AbortSignal): Promise<void> {
    for (let failures = 0;; failures++) {
      await delay(this.#clock, this.#backoffMs(failures), stop);
      if (stop.aborted) return;
      try {
        const beats = await this.#connect(stop);
        if (beats > 1) failures = -1;
      } catch (error) {
        if (failures + 1 >= FAILURES_TO_REPORT && !stop.aborted) this.#report(error);
      }
    }
  }

  /** With jitter, so that those that lost their connections together do not come back together. */
  #backoffMs(failures: number): number {
    return Math.min(this.#options.timing.openAfterMs * 2 ** failures, LONGEST_BACKOFF_MS) * (0.5 + Math.random());
  }

  /** Connects and listens. Rejects if that fails; settles, with the number of beats, when the connection was live and is gone. */
  async #connect(stop: AbortSignal): Promise<number> {
    const { session: options, statements, timing } = this.#options;
    const session = await Session.open({ ...options, onNotification: (target) => this.#hint(this.#watchers.get(target)) }, stop);
    const name = crypto.randomUUID();
    let beats = 0;
    try {
      for (const wake = AbortSignal.any([stop, session.lost]); !wake.aborted; beats++) {
        await this.#beat(session, name);
        await delay(this.#clock, timing.beatMs, wake);
      }
      this.#setDown();
      if (beats > 0 && !session.lost.aborted) await session.query(statements.unlisten, [name], CLOSE_MS);
    } catch (error) {
      if (beats === 0) throw error;
    } finally {
      this.#setDown();
      await session.close();
    }
    return beats;
  }

  /** Says that the connection is there and finds out whether it is. If hints may have been missed, all are told to look. */
  async #beat(session: Session, name: string): Promise<void> {
    const { statements, timing } = this.#options;
    const listen = () => session.query<{ kept: boolean }>(statements.listen, [name, timing.beatMs * BEATS_TO_LIVE]);
    const row = await listen().catch(async (error) => {
      if (!isMissing(error)) throw error;
      await this.#options.migrate();
      return await listen();
    });
    if (row?.kept) return;
    await session.query(statements.settle);
    this.#live = true;
    this.#hintAll();
  }

  /** Those that rely on hints have to poll from now on, and look at once to do so. */
  #setDown(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#hintAll();
  }

  #hintAll(): void {
    for (const watchers of [...this.#watchers.values()]) this.#hint(watchers);
  }

  #hint(watchers: Iterable<Subscription> = []): void {
    for (const subscription of [...watchers]) {
      if (subscription.open) subscription.hint();
    }
  }

  #report(error: unknown): void {
    if (this.#reported) return;
    this.#reported = true;
    const state = sqlState(error);
    // As NotCapable, where Deno was not given a permission.
    const name = error instanceof Error && error.name !== "Error" ? error.name : null;
    const shown = state === null ? name : `SQLSTATE ${state}`;
    this.#options.report(`the connection for push fails${shown === null ? "" : ` (${shown})`}, so waits poll until it succeeds`);
  }
}
