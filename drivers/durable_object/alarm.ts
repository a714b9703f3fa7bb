/**
 * The alarm of an object, which continues workflows that are due.
 *
 * @module
 */

import { wallClock } from "../../core/time/clock.ts";
import type { Transaction } from "../sqlite/calls/transaction.ts";
import type { Database } from "../sqlite/database.ts";
import { dueOverview, dueSince } from "./due.ts";
import type { ObjectStorage } from "./platform.ts";

/**
 * How long the alarm leaves a workflow that a call has made due to its caller, in milliseconds. Most
 * callers continue it themselves. An alarm would be a second request for nothing.
 */
const GRACE_MS = 20;

/**
 * The shortest and the longest time until workflows that are still due are offered again. In between
 * it is as long as they have been due. So nothing needs to be stored.
 */
const MIN_AGAIN_MS = 1_000;
const MAX_AGAIN_MS = 60_000;

/** A longer alarm fires early, and is set again. The platform takes no time after the year 2189. */
const MAX_ALARM_MS = 366 * 86_400_000;

/** Options of {@linkcode Alarm}. */
export interface AlarmOptions {
  readonly storage: ObjectStorage;
  readonly database: Database;
  /** The store's time, in epoch milliseconds. */
  readonly now: () => number;
}

/**
 * Keeps the alarm at or before the time at which the next workflow is due. A lease that was renewed,
 * or a workflow that has ended, does not move the alarm, because each move is a row written. Such an
 * alarm finds nothing due, and is set to the next time.
 */
export class Alarm {
  readonly #options: AlarmOptions;
  /** The time of the alarm by the store's clock, `null` if there is none, `undefined` if it is unknown. */
  #at: number | null | undefined;
  /** Until when what was due was offered to the Worker. */
  #offeredAt = 0;
  /** Whether this instance has looked for what is due, and has known its alarm since. */
  #hasLooked = false;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  /** Notes the alarm that the platform has, in its time; `null` if there is none. */
  found(at: number | null): void {
    this.#at = at === null ? null : at - wallClock.now() + this.#options.now();
  }

  /**
   * Forgets what is known of the alarm, after a transaction that may have set it was undone. What the
   * alarm was set for is then unknown too, so the next call looks at all workflows.
   */
  forget(): void {
    this.#at = undefined;
    this.#hasLooked = false;
  }

  /**
   * Looks at all workflows, once, because the instance before may have ended at any moment. What was
   * offered to the Worker is offered again when it would have been.
   */
  look(): void {
    if (this.#hasLooked) return;
    const { database, now } = this.#options;
    const { newest, next } = dueOverview(database, now());
    this.#arm(Math.min(next, this.#offerAt(newest), wakeAt(database)));
    this.#hasLooked = true;
  }

  /**
   * Sets the alarm for what a call has changed, in the call's transaction.
   *
   * @param tx The transaction.
   * @param leaseMs The length of the leases that the call has given or renewed.
   */
  changed({ now, isOverdue }: Transaction, leaseMs: number | null): void {
    const since = Math.min(this.#offeredAt, now);
    const { ready, waiting } = dueSince(this.#options.database, since);
    if (ready !== null) this.#arm(ready + GRACE_MS);
    if (waiting !== null) this.#arm(waiting);
    // Its due time may be before the last offer.
    if (isOverdue) this.#arm(now + GRACE_MS);
    if (leaseMs !== null) this.#arm(now + leaseMs);
  }

  /**
   * Sets the next alarm, first of all. It comes soon if something is due, in case nobody takes it.
   *
   * @returns Whether something is due.
   */
  fired(): boolean {
    const { database, now: time } = this.#options;
    const now = time();
    this.#at = null;
    const { newest, next } = dueOverview(database, now);
    const isTime = wakeAt(database) <= now;
    if (isTime) setWakeAt(database, now + MAX_AGAIN_MS);
    this.#offeredAt = now;
    this.#arm(Math.min(next, this.#offerAt(newest), wakeAt(database)));
    this.#hasLooked = true;
    return newest !== null || isTime;
  }

  /** Fires also at an instant at which no workflow is due; `Infinity`: at no such instant. */
  wakeAt(at: number): void {
    const { database } = this.#options;
    if (wakeAt(database) === at) return;
    setWakeAt(database, at);
    this.#arm(at);
  }

  /** When to offer what is due, by when the newest of it became due. What was not offered yet is offered at once. */
  #offerAt(newest: number | null): number {
    if (newest === null) return Infinity;
    const offeredAt = this.#offeredAt;
    return newest > offeredAt ? newest : offeredAt + Math.min(Math.max(offeredAt - newest, MIN_AGAIN_MS), MAX_AGAIN_MS);
  }

  /** Sets the alarm, unless it fires earlier. One that is set to its own instant would never fire. */
  #arm(at: number): void {
    const { storage, now: time } = this.#options;
    if (at === Infinity || (typeof this.#at === "number" && this.#at <= at)) return;
    const now = time();
    const ms = Math.min(Math.max(Math.ceil(at - now), 1), MAX_ALARM_MS);
    // It fails only if the object is about to be reset.
    storage.setAlarm(wallClock.now() + ms).catch(() => this.forget());
    this.#at = now + ms;
  }
}

function wakeAt(database: Database): number {
  const [row] = database.all<{ wakeAt: number | null }>("select wake_at as wakeAt from parley_object");
  return row?.wakeAt ?? Infinity;
}

function setWakeAt(database: Database, at: number): void {
  database.run("update parley_object set wake_at = ?", at < Infinity ? at : null);
}
