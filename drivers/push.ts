/**
 * The connection through which a store sends hints. It is open while there are watches, and it is
 * opened again when it is lost. A driver defines what the connection is.
 *
 * @module
 */

import { backoffMs } from "../core/time/backoff.ts";
import { type Clock, delay } from "../core/time/clock.ts";
import type { Watch, WatchTarget } from "../core/driver/driver.ts";
import { statusTargets, type Subscription, Subscriptions } from "../core/time/subscriptions.ts";

/** An open connection to a store. */
export interface OpenConnection {
  /** Aborts when the connection is lost, if this shows without a beat. */
  readonly lost: AbortSignal;
  /**
   * Checks that the connection still carries hints, and shows the store that it is in use.
   *
   * @param over Aborts when the answer no longer matters. The beat then ends soon, in any way.
   * @returns Whether hints may have been lost since the last beat. The first beat returns true.
   * @throws An error if the connection is of no use.
   */
  beat(over: AbortSignal): Promise<boolean>;
  /** Closes the connection. It never rejects, and returns soon. */
  close(): Promise<void>;
}

/**
 * Hints the watches of these targets, or all watches. A store sends `status:` and a workflow ID in
 * place of the three targets that a new status changes.
 */
export type Tell = (targets: readonly unknown[] | "all") => void;

/**
 * Opens a connection.
 *
 * @param tell Call it with the targets that have changed.
 * @param stop Aborts if the connection is no longer wanted before it is open.
 * @throws Whatever prevents it. Nothing stays open then.
 */
export type Connect = (tell: Tell, stop: AbortSignal) => Promise<OpenConnection>;

/** The times of a connection, in milliseconds. */
export interface PushTiming {
  /**
   * About how long there must be a watch before the connection opens, because most waits are over
   * after their first look. Also the first delay before the connection opens again.
   */
  readonly openAfterMs: number;
  /**
   * How long the connection stays open after the last watch, because the next watch often begins
   * soon.
   */
  readonly lingerMs: number;
  /** The time between two beats. */
  readonly beatMs: number;
  /**
   * See `Watch.lookMs`. Watches of `due` do not get it, because a deadline that passes causes no
   * hint.
   */
  readonly lookMs?: number;
}

/** Options of {@linkcode PushConnection}. */
export interface PushOptions {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly timing: PushTiming;
  /** Called once if there is no push, with the reason. */
  readonly report: (problem: string) => void;
  /**
   * Returns what a report may say of an error that prevented a connection; `null` if it may say
   * nothing.
   */
  readonly describe: (error: unknown) => string | null;
}

/** What a store sends for a new status begins with it. */
const STATUS = "status:";
/** How long a connection is still opened after the last watch, because another one may follow. */
const OPENING_LINGER_MS = 100;
/** With {@linkcode SPREAD}, no delay is longer than 37.5 s. */
const MAX_BACKOFF_MS = 25_000;
/** A restart of the store ends all connections at once, so the delays before they return vary widely. */
const SPREAD = 0.5;
/**
 * A connection that was live for less counts as a failure. Otherwise a connection that never lasts
 * would be opened again at once, every time.
 */
const MIN_STEADY_MS = 5_000;
/** The number of failures in a row after which they are reported. */
const MIN_REPORTED_FAILURES = 3;

/** The targets that one from the store stands for. */
function toWatchTargets(target: unknown): unknown[] {
  const id = typeof target === "string" && target.startsWith(STATUS) ? target.slice(STATUS.length) : null;
  return id === null ? [target] : statusTargets(id);
}

/** The watches of a driver, and the connection that hints them. */
export class PushConnection {
  readonly #options: PushOptions;
  readonly #subscriptions = new Subscriptions();
  #live = false;
  #reported = false;
  #stop = new AbortController();
  #stopLinger = () => {};
  #running: Promise<void> | undefined;
  /** Whether a connection is open, or is to be opened. */
  #isUsed = false;
  /** How many attempts in a row have failed, and when the last one did. */
  #failures = 0;
  #failedAt = 0;

  /** Opens nothing yet. */
  constructor(options: PushOptions) {
    this.#options = options;
  }

  /** Settles when there is no connection and none is being opened. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** See `Driver.watch`. */
  watch(target: WatchTarget, hint: () => void): Watch {
    const subscription = this.#subscriptions.add(target, hint);
    this.#stopLinger();
    this.#running ??= this.#run();
    const isLive = () => subscription.open && this.#live;
    const { lookMs } = this.#options.timing;
    return {
      ...(lookMs !== undefined && target !== "due" && { lookMs }),
      get live() {
        return isLive();
      },
      close: () => this.#close(subscription),
    };
  }

  #close(subscription: Subscription): void {
    if (!subscription.open) return;
    subscription.close();
    if (this.#subscriptions.size > 0) return;
    const { clock, timing } = this.#options;
    if (!this.#isUsed) return;
    // Not at once, because a workflow that waits again and again has one watch after another.
    const lingerMs = this.#live ? timing.lingerMs : Math.min(timing.lingerMs, OPENING_LINGER_MS);
    this.#stopLinger = clock.after(lingerMs, () => this.#stop.abort());
  }

  /** Keeps a connection open while there are watches. */
  async #run(): Promise<void> {
    // A wait for which push must not connect closes its watch at once.
    await undefined;
    while (this.#subscriptions.size > 0) {
      this.#stop = new AbortController();
      this.#isUsed = true;
      await this.#connectAgainAndAgain(this.#stop.signal);
      this.#isUsed = false;
    }
    this.#stopLinger();
    // There must be no await in between, because the next watch has to run this again.
    this.#running = undefined;
  }

  async #connectAgainAndAgain(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    do {
      await delay(clock, this.#delayMs(), stop);
      if (stop.aborted || this.#subscriptions.size === 0) return;
      let problem: unknown;
      const liveMs = await this.#connect(stop).catch((error) => (problem = error, 0));
      if (stop.aborted) return;
      this.#failures = liveMs < MIN_STEADY_MS ? this.#failures + 1 : 0;
      this.#failedAt = clock.now();
      if (this.#failures >= MIN_REPORTED_FAILURES) this.#report(problem);
    } while (this.#subscriptions.size > 0);
  }

  /** The delay before a connection opens. After failures it counts from the last one. */
  #delayMs(): number {
    const options = { firstMs: this.#options.timing.openAfterMs, maxMs: MAX_BACKOFF_MS, spread: SPREAD };
    const firstMs = backoffMs(0, options);
    if (this.#failures === 0) return firstMs;
    return Math.max(firstMs, backoffMs(this.#failures, options) - (this.#options.clock.now() - this.#failedAt));
  }

  /**
   * Resolves when the connection is gone, with the milliseconds for which it was live. Rejects if
   * it never was.
   */
  async #connect(stop: AbortSignal): Promise<number> {
    const { connect, clock, timing } = this.#options;
    const tell: Tell = (targets) =>
      this.#subscriptions.notify(targets === "all" ? targets : targets.flatMap(toWatchTargets));
    const connection = await connect(tell, stop);
    const over = AbortSignal.any([stop, connection.lost]);
    let liveSince: number | undefined;
    try {
      while (!over.aborted) {
        if (await connection.beat(over)) {
          liveSince ??= clock.now();
          this.#live = true;
          this.#subscriptions.notify("all");
        }
        await delay(clock, timing.beatMs, over);
      }
    } catch (error) {
      if (liveSince === undefined) throw error;
    } finally {
      this.#setDown();
      await connection.close();
    }
    return liveSince === undefined ? 0 : clock.now() - liveSince;
  }

  /** Hints all watches, because their waits have to poll from now on. */
  #setDown(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#subscriptions.notify("all");
  }

  #report(problem: unknown): void {
    if (this.#reported) return;
    this.#reported = true;
    const shown = problem === undefined ? null : this.#options.describe(problem);
    this.#options.report(
      `the connection for push fails${shown === null ? "" : ` (${shown})`}, so waits poll until it succeeds`,
    );
  }
}
