/**
 * One way to wait for anything that lives in the store: subscribe, look, wait for a hint, look again. Hints come from the same isolate
 * and from the store's push, where it has one. They may be lost; polling with back-off is the floor under them.
 *
 * @module
 */

import { type Clock, delay } from "./clock.ts";
import type { Driver, Watch, WatchTarget } from "../driver/driver.ts";
import { DriverError } from "../errors.ts";
import type { Subscriptions } from "./subscriptions.ts";

const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 1_000;
/** While every push is live a poll only has to find what a lost hint would have told; where the driver does not say when. */
const LIVE_POLL_MS = 10_000;
const BACKOFF = 1.6;
/** How long a wait pauses while the store is away. Each look has repeated its request for two seconds by itself. */
const FIRST_AWAY_MS = 500;
const MAX_AWAY_MS = 10_000;

/** Where hints and time come from. */
export interface WaitHost {
  readonly driver: Driver;
  readonly clock: Clock;
  /** Hints within the isolate. They are free, and faster than any push. */
  readonly hints: Subscriptions;
  /** Aborts when as many requests were made as are allowed. */
  readonly spent?: AbortSignal;
  /** Is told of each look that failed because the store is away, and without an error of each that succeeded after that. */
  readonly onOutage?: (error?: DriverError) => void;
}

/** One wait: says when to look. Close it when the wait is over. */
export class Waiter {
  readonly #host: WaitHost;
  readonly #subscriptions = new Map<WatchTarget, { stop: () => void; watch: Watch | undefined }>();
  readonly #onHint = () => this.#wake(true);
  #pollMs = FIRST_POLL_MS;
  #hinted = false;
  #waking: AbortController | undefined;
  /** How many looks in a row have failed because the store is away. */
  #failures = 0;

  /**
   * Makes it.
   *
   * @param host Where hints and time come from.
   */
  constructor(host: WaitHost) {
    this.#host = host;
  }

  /** Subscribes to these targets and to no others. */
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
   * @param options `limitMs`: how long at most. `poll: false`: only a hint can change anything, so do not look without one.
   * @returns Whether there is a reason to look: a hint, or a poll is due.
   */
  async next(options: { limitMs?: number; poll?: boolean; signal?: AbortSignal | undefined } = {}): Promise<boolean> {
    const { limitMs = Infinity, poll = true, signal } = options;
    const pollMs = poll ? this.#nextPollMs() : Infinity;
    const elapsed = !this.#hinted && !signal?.aborted && await this.#sleep(Math.min(limitMs, pollMs), signal);
    const look = this.#hinted || (elapsed && pollMs <= limitMs);
    this.#hinted = false;
    return look;
  }

  /** Ends the current {@linkcode next}, without a reason to look. */
  poke(): void {
    this.#wake(false);
  }

  /**
   * Looks once. While the store is away it finds nothing, and {@linkcode next} pauses longer and longer.
   *
   * @returns What the look found, or the error of an outage.
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

  /** Begins the back-off anew: something came, so more may come soon. */
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

  /** Whether the time went by without being woken. */
  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    const waking = this.#waking = new AbortController();
    const onAbort = () => waking.abort();
    signal?.addEventListener("abort", onAbort);
    await delay(this.#host.clock, ms, waking.signal);
    signal?.removeEventListener("abort", onAbort);
    this.#waking = undefined;
    return !waking.signal.aborted;
  }

  /** With jitter, so that many waiters that began together do not look together. */
  #nextPollMs(): number {
    const jitter = 0.75 + Math.random() / 2;
    if (this.#failures > 0) {
      return Math.min(FIRST_AWAY_MS * BACKOFF ** Math.min(this.#failures, 20), MAX_AWAY_MS) * jitter;
    }
    const watches = [...this.#subscriptions.values()].map(({ watch }) => watch);
    const live = watches.length > 0 && watches.every((watch) => watch?.live);
    const base = live ? Math.min(...watches.map((watch) => watch?.lookMs ?? LIVE_POLL_MS)) : this.#pollMs;
    this.#pollMs = Math.min(this.#pollMs * BACKOFF, MAX_POLL_MS);
    return base * jitter;
  }
}

/** What {@linkcode waitFor} waits for, and how long. */
export interface WaitForOptions {
  /** Whose hints to listen for. */
  target: WatchTarget;
  /** `null`: no limit. */
  timeoutMs: number | null;
  signal?: AbortSignal | undefined;
  /** The error when the time is up. */
  onTimeout: () => Error;
}

/**
 * Looks until something is found. It goes on through an outage of the store.
 *
 * @param host Where hints and time come from.
 * @param look Looks once; `undefined` means not yet.
 * @throws The error of `onTimeout` at the deadline, or when no more requests may be made, without a further look; that of the last look if the store
 * is away at that time; the signal's reason when it aborts.
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
    // A look during an outage goes on for long, and brings no more than the one before.
    if ("outage" in last) late.abort(last.outage);
  };
  // A timer, since the difference of two times would be wrong if the clock were set in between.
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

/** Looks once, and again for as long as the store is away; then it rejects with the signal's reason when that aborts. */
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

/** The promise, or the signal's reason as soon as it aborts. Leaves no listener behind. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
