/**
 * Decides when a wait looks at the store: after a hint, or when a poll is due.
 *
 * Hints come from the same `Parley`, and from the driver if it has push. A hint may be lost, so a
 * wait also polls, at growing intervals.
 *
 * @module
 */

import { backoffMs, jitter } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Driver, Watch, WatchTarget } from "../driver/driver.ts";
import { DriverError } from "../errors.ts";
import type { Subscriptions } from "./subscriptions.ts";

const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 1_000;
/**
 * The poll interval while all watches are live, for a watch without a `lookMs`. Such polls make up
 * for lost hints.
 */
export const LIVE_POLL_MS = 10_000;
const BACKOFF = 1.6;
/**
 * The base and the limit of the pauses while the store is away. The first pause is already
 * `BACKOFF` times the base. Each look has retried for two seconds before it fails.
 */
const FIRST_AWAY_MS = 500;
const MAX_AWAY_MS = 10_000;

/** What a wait uses: the store, the time and the hints. */
export interface WaitHost {
  /** Only `watch` is used. A type with nothing but optional members would refuse most drivers. */
  readonly driver: Pick<Driver, "readWorkflow" | "watch">;
  readonly clock: Clock;
  /** The hints within this `Parley`. They cost nothing, and are faster than any push. */
  readonly hints: Subscriptions;
  /** Aborts once the allowed number of requests has been made. */
  readonly spent?: AbortSignal;
  /**
   * Called with the error of each look that fails because the store is away. Called without an
   * error when a look succeeds again.
   */
  readonly onOutage?: (error?: DriverError) => void;
}

/** What this isolate knows about a waiter's target, because a run here changes that target. */
export interface Nearby {
  /**
   * Returns about how long to wait between looks, in milliseconds; `undefined` if nothing is known.
   */
  lookMs(): number | undefined;
  /**
   * Whether everything that a hint announces also reaches the waiter without a look. If so, the
   * waiter ignores hints.
   */
  isEcho(): boolean;
}

/** Decides when a wait looks at the store. Close it when the wait is over. */
export class Waiter {
  readonly #host: WaitHost;
  readonly #nearby: Nearby | undefined;
  readonly #subscriptions = new Map<WatchTarget, { stop: () => void; watch: Watch | undefined; isDeferred: boolean }>();
  /** Takes the store's time, in epoch milliseconds. If it is set, the next look finds out the time. */
  onNow: ((now: number) => void) | undefined;
  readonly #onHint = () => this.#nearby?.isEcho() || this.#wake(true);
  #pollMs = FIRST_POLL_MS;
  #hinted = false;
  #endSleep: ((elapsed: boolean) => void) | undefined;
  /** The number of looks in a row that failed because the store is away. */
  #failures = 0;

  /**
   * Creates the waiter.
   *
   * @param host The store, the time and the hints.
   * @param nearby What this isolate knows without a look. Default nothing.
   */
  constructor(host: WaitHost, nearby?: Nearby) {
    this.#host = host;
    this.#nearby = nearby;
  }

  /**
   * Subscribes to these targets, and ends subscriptions to all others. Without targets it forgets
   * an earlier hint.
   *
   * @param options `connects: false`: uses push only if it is live already, because a short wait is
   * not worth a connection. A later call with `true` makes the driver connect.
   */
  listen(targets: Iterable<WatchTarget>, { connects = true }: { connects?: boolean } = {}): void {
    const wanted = new Set(targets);
    if (wanted.size === 0) this.#hinted = false;
    for (const [target, { stop }] of this.#subscriptions) {
      if (wanted.has(target)) continue;
      stop();
      this.#subscriptions.delete(target);
    }
    for (const target of wanted) {
      const earlier = this.#subscriptions.get(target);
      if (earlier && !(earlier.isDeferred && connects)) continue;
      earlier?.stop();
      this.#subscribe(target, connects);
      // Push went live after the earlier call. Its hints until now were missed.
      if (earlier && this.#subscriptions.get(target)?.watch?.live) this.#wake(true);
    }
  }

  #subscribe(target: WatchTarget, connects: boolean): void {
    const hint = this.#host.hints.add(target, this.#onHint);
    const watch = this.#host.driver.watch?.(target, this.#onHint);
    const isDeferred = !connects && watch?.live === false;
    if (isDeferred) watch.close();
    this.#subscriptions.set(target, {
      watch: isDeferred ? undefined : watch,
      isDeferred,
      stop: () => (watch?.close(), hint.close()),
    });
  }

  /**
   * Waits until it is time to look again.
   *
   * @param options `limitMs`: the longest time to wait, in milliseconds. `poll: false`: does not
   * poll, because nothing new can come without a hint. `signal`: ends the waiting.
   * @returns Whether there is a reason to look, which is a hint or a due poll.
   */
  async next(options: { limitMs?: number; poll?: boolean; signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    const { limitMs = Infinity, poll = true, signal } = options;
    const pollMs = poll ? this.#nextPollMs() : Infinity;
    const elapsed = !this.#hinted && !signal?.aborted && await this.#sleep(Math.min(limitMs, pollMs), signal);
    const look = this.#hinted || (elapsed && pollMs <= limitMs);
    this.#hinted = false;
    return look;
  }

  /** Forgets a hint that {@linkcode next} has not returned yet. Call it right before a look. */
  hear(): void {
    this.#hinted = false;
  }

  /** Ends the current {@linkcode next}, but gives no reason to look. */
  poke(): void {
    this.#wake(false);
  }

  /**
   * Looks once. After each look that fails because the store is away, {@linkcode next} pauses
   * longer.
   *
   * @returns The result of the look, or the error of the outage.
   * @throws Any other error of the look.
   */
  async look<T>(look: () => Promise<T>): Promise<{ found: T } | { outage: DriverError }> {
    const failures = this.#failures + 1;
    try {
      const found = await look();
      if (this.#failures > 0) this.#host.onOutage?.();
      this.#failures = 0;
      return { found };
    } catch (error) {
      if (!(error instanceof DriverError && error.retryable)) throw error;
      // Looks that are under way together count as one.
      this.#failures = Math.max(this.#failures, failures);
      this.#host.onOutage?.(error);
      return { outage: error };
    }
  }

  /** Resets the poll interval. Call it when something came, because more may follow soon. */
  reset(): void {
    this.#pollMs = FIRST_POLL_MS;
  }

  /** Whether the poll interval has grown to its longest. */
  get isPatient(): boolean {
    return this.#pollMs === MAX_POLL_MS;
  }

  /** Ends all subscriptions and the current {@linkcode next}. */
  close(): void {
    this.listen([]);
    this.poke();
  }

  #wake(hinted: boolean): void {
    this.#hinted ||= hinted;
    this.#endSleep?.(false);
  }

  /** Sleeps, and returns whether the whole time has passed without a hint or an abort. */
  #sleep(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const onAbort = () => end(false);
      const end = this.#endSleep = (elapsed) => {
        stopTimer();
        signal?.removeEventListener("abort", onAbort);
        this.#endSleep = undefined;
        resolve(elapsed);
      };
      const stopTimer = ms < Infinity ? this.#host.clock.after(ms, () => end(true)) : () => {};
      signal?.addEventListener("abort", onAbort);
    });
  }

  /** Returns the time until the next poll. It varies, so that waiters do not look together. */
  #nextPollMs(): number {
    if (this.#failures > 0) {
      return backoffMs(this.#failures, { firstMs: FIRST_AWAY_MS, maxMs: MAX_AWAY_MS, factor: BACKOFF });
    }
    const nearbyMs = this.#nearby?.lookMs();
    if (nearbyMs !== undefined) return jitter(nearbyMs);
    const watches = [...this.#subscriptions.values()].map(({ watch }) => watch);
    const live = watches.length > 0 && watches.every((watch) => watch?.live);
    const base = live ? Math.min(...watches.map((watch) => watch?.lookMs ?? LIVE_POLL_MS)) : this.#pollMs;
    this.#pollMs = Math.min(this.#pollMs * BACKOFF, MAX_POLL_MS);
    return jitter(base);
  }
}
