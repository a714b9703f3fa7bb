/**
 * Waiting for something in the store: subscribe, look, wait for a hint, look again.
 *
 * Hints come from the same `Parley`, and from the driver if it has push. A hint may be lost, so a
 * wait also polls, at growing intervals.
 *
 * @module
 */

import { backoffMs, jitter } from "./backoff.ts";
import { type Clock, delay } from "./clock.ts";
import type { Driver, Watch, WatchTarget } from "../driver/driver.ts";
import { DriverError } from "../errors.ts";
import type { Subscriptions } from "./subscriptions.ts";

const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 1_000;
/**
 * The poll interval while all watches are live, for a watch without a `lookMs`. Such polls make up
 * for lost hints.
 */
const LIVE_POLL_MS = 10_000;
const BACKOFF = 1.6;
/**
 * The base and the limit of the pauses while the store is away. The first pause is already
 * `BACKOFF` times the base. Each look has retried for two seconds before it fails.
 */
const FIRST_AWAY_MS = 500;
const MAX_AWAY_MS = 10_000;

/** What a wait uses: the store, the time and the hints. */
export interface WaitHost {
  readonly driver: Driver;
  readonly clock: Clock;
  /** The hints within this `Parley`. They cost nothing, and are faster than any push. */
  readonly hints: Subscriptions;
  /** Aborts once the allowed number of requests has been made. */
  readonly spent?: AbortSignal;
  /**
   * Called with the error of each look that fails because the store is away, and without an error
   * when a look succeeds after that.
   */
  readonly onOutage?: (error?: DriverError) => void;
}

/** Decides when a wait looks at the store. Close it when the wait is over. */
export class Waiter {
  readonly #host: WaitHost;
  readonly #subscriptions = new Map<WatchTarget, { stop: () => void; watch: Watch | undefined }>();
  readonly #onHint = () => this.#wake(true);
  #pollMs = FIRST_POLL_MS;
  #hinted = false;
  #waking: AbortController | undefined;
  /** The number of looks in a row that failed because the store is away. */
  #failures = 0;

  /**
   * Creates the waiter.
   *
   * @param host The store, the time and the hints.
   */
  constructor(host: WaitHost) {
    this.#host = host;
  }

  /** Subscribes to these targets, and ends subscriptions to all others. */
  listen(targets: Iterable<WatchTarget>): void {
    const wanted = new Set(targets);
    for (const [target, { stop }] of this.#subscriptions) {
      if (wanted.has(target)) continue;
      stop();
      this.#subscriptions.delete(target);
    }
    for (const target of wanted) {
      if (this.#subscriptions.has(target)) continue;
      const watch = this.#host.driver.watch?.(target, this.#onHint);
      const hint = this.#host.hints.add(target, this.#onHint);
      this.#subscriptions.set(target, { watch, stop: () => (watch?.close(), hint.close()) });
    }
  }

  /**
   * Waits until it is time to look again.
   *
   * @param options `limitMs`: the longest time to wait, in milliseconds. `poll: false`: waits only
   * for a hint, for when nothing new can come without one. `signal`: ends the waiting.
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
    try {
      const found = await look();
      if (this.#failures > 0) this.#host.onOutage?.();
      this.#failures = 0;
      return { found };
    } catch (error) {
      if (!(error instanceof DriverError && error.retryable)) throw error;
      this.#failures++;
      this.#host.onOutage?.(error);
      return { outage: error };
    }
  }

  /** Resets the poll interval. Call it when something came, because more may follow soon. */
  reset(): void {
    this.#pollMs = FIRST_POLL_MS;
  }

  /** Ends all subscriptions and the current {@linkcode next}. */
  close(): void {
    this.listen([]);
    this.poke();
  }

  #wake(hinted: boolean): void {
    this.#hinted ||= hinted;
    this.#waking?.abort();
  }

  /** Sleeps, and returns whether the whole time has passed without a hint or an abort. */
  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    const waking = this.#waking = new AbortController();
    const onAbort = () => waking.abort();
    signal?.addEventListener("abort", onAbort);
    await delay(this.#host.clock, ms, waking.signal);
    signal?.removeEventListener("abort", onAbort);
    this.#waking = undefined;
    return !waking.signal.aborted;
  }

  /** Returns the time until the next poll. It varies, so that waiters do not look together. */
  #nextPollMs(): number {
    if (this.#failures > 0) {
      return backoffMs(this.#failures, { firstMs: FIRST_AWAY_MS, maxMs: MAX_AWAY_MS, factor: BACKOFF });
    }
    const watches = [...this.#subscriptions.values()].map(({ watch }) => watch);
    const live = watches.length > 0 && watches.every((watch) => watch?.live);
    const base = live ? Math.min(...watches.map((watch) => watch?.lookMs ?? LIVE_POLL_MS)) : this.#pollMs;
    this.#pollMs = Math.min(this.#pollMs * BACKOFF, MAX_POLL_MS);
    return jitter(base);
  }
}

/** Options of {@linkcode waitFor}. */
export interface WaitForOptions {
  /** The target whose hints may announce the result. */
  target: WatchTarget;
  /** The longest time to wait, in milliseconds. With `null`, there is no limit. */
  timeoutMs: number | null;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
  /** Makes the error for a wait whose time is up. */
  onTimeout: () => Error;
}

/**
 * Looks until something is found. The wait goes on through an outage of the store.
 *
 * At the deadline it stops without another look. A wait with a deadline also stops once the allowed
 * number of requests has been made.
 *
 * @param host The store, the time and the hints.
 * @param look Looks once. It returns `undefined` if there is nothing yet.
 * @throws The error of `onTimeout` if the wait stops, or the error of the last look if the store is
 * away.
 * @throws The signal's reason, if the signal aborts.
 */
export async function waitFor<T>(
  host: WaitHost,
  look: () => Promise<T | undefined>,
  options: WaitForOptions,
): Promise<T> {
  const { target, timeoutMs, signal, onTimeout } = options;
  const waiter = new Waiter(host);
  let last: { found: T | undefined } | { outage: DriverError } = { found: undefined };
  const late = new AbortController();
  let timeIsUp = timeoutMs === 0;
  const onTime = () => {
    timeIsUp = true;
    waiter.poke();
    // During an outage, a look takes a long time and finds no more than the previous look did.
    if ("outage" in last) late.abort(last.outage);
  };
  // The deadline is a timer, because a difference of two times is wrong if the clock is set in
  // between.
  const stopTimer = timeoutMs ? host.clock.after(timeoutMs, onTime) : () => {};
  const spent = timeoutMs === null ? undefined : host.spent;
  if (spent?.aborted) onTime();
  else spent?.addEventListener("abort", onTime);
  try {
    if (!timeIsUp) waiter.listen([target]);
    for (let due = true;;) {
      signal?.throwIfAborted();
      if (due) last = await waiter.look(() => unlessAborted(unlessAborted(look(), signal), late.signal));
      if ("found" in last && last.found !== undefined) return last.found;
      if (timeIsUp) throw "outage" in last ? last.outage : onTimeout();
      due = await waiter.next({ signal });
    }
  } finally {
    stopTimer();
    spent?.removeEventListener("abort", onTime);
    waiter.close();
  }
}

/** Looks until the store answers. It rejects with the signal's reason if the signal aborts. */
export async function lookThroughOutages<T>(
  host: WaitHost,
  look: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const waiter = new Waiter(host);
  for (;;) {
    signal?.throwIfAborted();
    const result = await waiter.look(() => unlessAborted(look(), signal));
    if ("found" in result) return result.found;
    await waiter.next({ signal });
  }
}

/**
 * Settles like the promise, but rejects with the signal's reason as soon as the signal aborts. It
 * leaves no listener behind.
 */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
