/**
 * Who watches what, and the one connection that tells them: open while somebody watches, looked after, and opened again when it is lost.
 * What the connection is, a driver says.
 *
 * @module
 */

import { type Clock, delay } from "../core/time/clock.ts";
import type { Watch, WatchTarget } from "../core/driver/driver.ts";
import { type Subscription, Subscriptions } from "../core/time/subscriptions.ts";

/** A connection that is open. */
export interface Connection {
  /** Aborts when the connection is lost, if that is noticed without a beat. */
  readonly lost: AbortSignal;
  /**
   * Finds out whether the connection still tells of changes, and keeps it from being taken for dead.
   *
   * @param over Aborts when the answer matters no more. Then it may do whatever ends soon.
   * @returns Whether changes may have been missed since the last beat, which is so at the first.
   * @throws Whatever shows that the connection is of no use.
   */
  beat(over: AbortSignal): Promise<boolean>;
  /** Closes the connection. It never rejects, and does not wait long. */
  close(): Promise<void>;
}

/** Whom a connection tells to look: all who watch one of these, or all who watch. */
export type Tell = (targets: readonly unknown[] | "all") => void;

/**
 * Opens a connection.
 *
 * @param tell Is called with what has changed.
 * @param stop Aborts when the connection is no longer wanted, before it is open.
 * @throws Whatever was in the way. Nothing is left open then.
 */
export type Connect = (tell: Tell, stop: AbortSignal) => Promise<Connection>;

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
  /** See `Watch.lookMs`; not for who watches what is due, since a deadline that passes gives no hint. */
  readonly lookMs?: number;
}

/** See {@linkcode Push}. */
export interface PushOptions {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly timing: PushTiming;
  /** Is told, once, that there is no push. */
  readonly report: (problem: string) => void;
  /** What may be said of an error that was in the way of a connection; `null` if that is nothing. */
  readonly describe: (error: unknown) => string | null;
}

const MAX_BACKOFF_MS = 30_000;
/** A connection that was live for less is one more failure in a row: otherwise one that never lasts would be opened again and again at once. */
const STEADY_MS = 5_000;
/** After so many failures in a row somebody should know. */
const FAILURES_TO_REPORT = 3;

/** Who watches what, and the connection that tells them. */
export class Push {
  readonly #options: PushOptions;
  readonly #subscriptions = new Subscriptions();
  #live = false;
  #reported = false;
  #stop = new AbortController();
  #stopLinger = () => {};
  #running: Promise<void> | undefined;

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
    if (this.#live) this.#stopLinger = clock.after(timing.lingerMs, () => this.#stop.abort());
    // Not at once: a waiter that changes its targets ends one watch and begins the next.
    else queueMicrotask(() => this.#subscriptions.size > 0 || this.#stop.abort());
  }

  /** Keeps a connection open for as long as somebody watches. */
  async #run(): Promise<void> {
    do {
      this.#stop = new AbortController();
      await this.#connectAgainAndAgain(this.#stop.signal);
    } while (this.#subscriptions.size > 0);
    // At once: a watch that begins from here on has to run it again.
    this.#running = undefined;
  }

  async #connectAgainAndAgain(stop: AbortSignal): Promise<void> {
    for (let failures = 0;;) {
      await delay(this.#options.clock, this.#backoffMs(failures), stop);
      if (stop.aborted) return;
      let problem: unknown;
      const liveMs = await this.#connect(stop).catch((error) => (problem = error, 0));
      failures = liveMs < STEADY_MS ? failures + 1 : 0;
      if (failures >= FAILURES_TO_REPORT && !stop.aborted) this.#report(problem);
    }
  }

  /** With jitter, so that those that lost their connections together do not come back together. */
  #backoffMs(failures: number): number {
    return Math.min(this.#options.timing.openAfterMs * 2 ** failures, MAX_BACKOFF_MS) * (0.5 + Math.random());
  }

  /** Rejects if the connection never told anything; settles, with how many milliseconds it was live, when it is gone. */
  async #connect(stop: AbortSignal): Promise<number> {
    const { connect, clock, timing } = this.#options;
    const connection = await connect((targets) => this.#subscriptions.notify(targets), stop);
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

  /** Those that rely on hints have to poll from now on, and look at once to do so. */
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
