/**
 * Waiting for something in the store: subscribe, look, wait for a hint, look again.
 *
 * @module
 */

import type { WatchTarget } from "../driver/driver.ts";
import { type DriverError, TimeoutError } from "../errors.ts";
import { Waiter, type WaitHost } from "./waiter.ts";

/** Options of {@linkcode waitFor}. */
export interface WaitForOptions {
  /** The target whose hints may announce the result. */
  target: WatchTarget;
  /** What is awaited, for the error, such as `result`. */
  operation: string;
  /** The longest time to wait, in milliseconds. With `null`, there is no such limit. */
  timeoutMs: number | null;
  /** The instant of the store's clock at which the wait ends, in epoch milliseconds. Default none. */
  until?: number;
  /** The store's time, in epoch milliseconds, if it is known. Otherwise the first look finds it out. */
  now?: number | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
  /** Decides when to look, by default a waiter of its own. */
  waiter?: Waiter;
  /** Whether the first look may wait for a hint or a poll, too. Default `false`. */
  isLater?: boolean;
}

/**
 * Looks until something is found. The wait goes on through an outage of the store.
 *
 * At the deadline it stops without another look. A wait with a deadline also stops once the allowed
 * number of requests has been made. As long as nothing has told the store's time, the clock of this
 * isolate decides how long a wait with an instant goes on through an outage.
 *
 * @param host The store, the time and the hints.
 * @param look Looks once. It returns `undefined` if there is nothing yet.
 * @throws {TimeoutError} If the wait stops.
 * @throws The error of the last look if the wait stops while the store is away.
 * @throws The signal's reason, if the signal aborts.
 */
export async function waitFor<T>(
  host: WaitHost,
  look: () => Promise<T | undefined>,
  options: WaitForOptions,
): Promise<T> {
  const { target, operation, timeoutMs, until, now, signal, waiter = new Waiter(host), isLater = false } = options;
  let last: { found: T | undefined } | { outage: DriverError } = { found: undefined };
  let late: AbortController | undefined;
  let timeIsUp = timeoutMs === 0;
  let isPast = false;
  const end = () => {
    waiter.poke();
    // During an outage, a look takes a long time and finds no more than the previous look did.
    if ("outage" in last) late?.abort(last.outage);
  };
  const onTime = () => (timeIsUp = true, end());
  // Deadlines are timers, because a difference of two times is wrong if the clock is set in between.
  const stopTimer = timeoutMs ? host.clock.after(timeoutMs, onTime) : () => {};
  let stopInstant = () => {};
  const onNow = (now: number) => {
    const leftMs = until! - now;
    stopInstant();
    isPast = leftMs <= 0;
    stopInstant = host.clock.after(leftMs, () => (isPast = true, end()));
  };
  if (until !== undefined) {
    onNow(now ?? host.clock.now());
    if (now === undefined) waiter.onNow = onNow;
  }
  const spent = timeoutMs === null && until === undefined ? undefined : host.spent;
  if (spent?.aborted) onTime();
  else spent?.addEventListener("abort", onTime);
  try {
    if (!timeIsUp) waiter.listen([target]);
    for (let due = timeIsUp || isPast || !isLater;;) {
      signal?.throwIfAborted();
      if ("outage" in last) late ??= new AbortController();
      if (due) last = await waiter.look(() => unlessAborted(unlessAborted(look(), signal), late?.signal));
      if ("found" in last && last.found !== undefined) return last.found;
      if (timeIsUp || isPast) {
        if ("outage" in last) throw last.outage;
        throw new TimeoutError(operation, timeoutMs ?? 0, isPast || timeoutMs === null ? until : undefined);
      }
      due = await waiter.next({ signal });
    }
  } finally {
    stopTimer();
    stopInstant();
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
