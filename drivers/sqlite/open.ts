/**
 * The driver, with internals that only tests set.
 *
 * @module
 */

import { backoffMs } from "../../core/time/backoff.ts";
import { type Clock, delay, systemClock, wallClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { Transaction } from "./calls/transaction.ts";
import { type Changes, changesOf } from "./changes.ts";
import { type Database, openDatabase, type SqliteClient, type SqliteObjectStorage } from "./database.ts";
import { driverError, isBusy } from "./failure.ts";
import { type MethodName, READS, WRITES } from "./methods.ts";
import { migrate } from "./schema.ts";

/**
 * Options of {@linkcode sqliteDriver}.
 *
 * @category Driver
 */
export interface SqliteDriverOptions {
  /**
   * What a commit survives. Default `"normal"`.
   *
   * - `"normal"`: the end of the process, also by force. A power cut may undo the last commits.
   * - `"full"`: also a power cut. Each commit waits for the disk, which takes several times as long.
   *
   * A Durable Object decides this by itself.
   */
  synchronous?: "normal" | "full";
  /**
   * How long a call waits until other connections have finished writing, 1 ms or more. Default
   * `"10s"`.
   */
  requestTimeout?: Duration;
}

/** Internals that tests set. */
export interface SqliteInternals {
  /** The store's time. Default: the wall clock. */
  readonly storeClock?: Pick<Clock, "now">;
  /** The clock of the looks for commits of others. */
  readonly lookClock?: Clock;
}

/** The pauses before a call is repeated because the database was busy. */
const BUSY_PAUSES = { firstMs: 0.5, maxMs: 8, spread: 0.75 };

/** Makes the driver, and what notices the commits of other connections. */
export function openSqlite(
  client: SqliteClient | SqliteObjectStorage,
  { synchronous = "normal", requestTimeout = "10s" }: SqliteDriverOptions = {},
  { storeClock = wallClock, lookClock = systemClock }: SqliteInternals = {},
): { driver: Driver; changes: Changes } {
  if (synchronous !== "normal" && synchronous !== "full") {
    throw new ValidationError('Using SQLite: `synchronous` must be "normal" or "full"');
  }
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const database = openDatabase(client);
  const changes = changesOf(client, database, lookClock);
  const calls = new Calls(database, { synchronous, timeoutMs, changes, now: () => storeClock.now() });
  const methods = {
    ...mapMethods(READS, (name, method) => (...args: unknown[]) => calls.read(name, (tx) => method(tx, ...args))),
    ...mapMethods(WRITES, (name, method) => (...args: unknown[]) => calls.write(name, (tx) => method(tx, ...args))),
  } as Pick<Driver, MethodName>;
  const driver: Driver = {
    contract: 1,
    migrate: () => calls.call("migrate", () => {}),
    ...methods,
    watch: (target, hint) => changes.watch(target, hint),
  };
  return { driver, changes };
}

/** Maps each of the methods. */
function mapMethods<Result>(
  methods: object,
  map: (name: string, method: (tx: Transaction, ...args: unknown[]) => unknown) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, map(name, method)]));
}

interface CallsOptions {
  readonly synchronous: "normal" | "full";
  readonly timeoutMs: number;
  readonly changes: Changes;
  readonly now: () => number;
}

/** Carries out calls, each as one transaction. */
class Calls {
  readonly #database: Database;
  readonly #options: CallsOptions;
  #isReady = false;

  constructor(database: Database, options: CallsOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Carries out a call that only reads. */
  readonly read = <T>(name: string, run: (tx: Transaction) => T): Promise<T> =>
    this.call(name, () => this.#database.read(() => run(new Transaction(this.#database, this.#options.now()))));

  /** Carries out a call that writes, and then gives hints. */
  readonly write = <T>(name: string, run: (tx: Transaction) => T): Promise<T> =>
    this.call(name, () => {
      const [result, changed] = this.#database.write(() => {
        const tx = new Transaction(this.#database, this.#options.now());
        const result = run(tx);
        tx.save();
        return [result, tx.changed] as const;
      });
      this.#options.changes.changed(changed);
      return result;
    });

  /**
   * Runs a function, again and again while the database is busy. SQLite's own wait would stop the
   * whole process, and is not fair.
   */
  async call<T>(name: string, run: () => T): Promise<T> {
    const begun = systemClock.now();
    for (let repeats = 0;; repeats++) {
      try {
        this.#getReady();
        return run();
      } catch (error) {
        if (!isBusy(error) || systemClock.now() - begun >= this.#options.timeoutMs) {
          throw driverError(`SQLite: ${name}`, error);
        }
      }
      await delay(systemClock, backoffMs(repeats, BUSY_PAUSES));
    }
  }

  /** Sets the connection and the schema up, at the first call. */
  #getReady(): void {
    if (this.#isReady) return;
    this.#database.configure(this.#options.synchronous);
    this.#database.write(() => migrate(this.#database));
    this.#isReady = true;
  }
}
