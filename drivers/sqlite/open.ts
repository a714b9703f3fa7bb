/**
 * The driver, with internals that only tests set.
 *
 * @module
 */

import { backoffMs } from "../../core/time/backoff.ts";
import { type Clock, delay, systemClock, wallClock } from "../../core/time/clock.ts";
import type {
  CommitRequest,
  CommitResult,
  CreateRequest,
  CreateResult,
  Driver,
  NewMessage,
  SendResult,
} from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { sendAlone } from "./calls/inbox.ts";
import { createAlone } from "./calls/lifecycle.ts";
import { isOneStatement, KnownRuns, lightCommit, NOT_LIGHT } from "./calls/light_commit.ts";
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
export const BUSY_PAUSES = { firstMs: 0.5, maxMs: 4, spread: 0.75 };

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
    create: (request) => calls.create(request),
    claim: (request) =>
      calls.write("claim", (tx) => WRITES.claim(tx, request), (it) => it.claimed.map((it) => it.workflow.workflowId)),
    commit: (request) => calls.commit(request),
    send: (messages) => calls.send(messages),
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
  readonly #runs = new KnownRuns();
  #isReady = false;

  constructor(database: Database, options: CallsOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Carries out a call that only reads. */
  readonly read = <T>(name: string, run: (tx: Transaction) => T): Promise<T> =>
    this.call(name, () => this.#database.read(() => run(this.#begin())));

  /**
   * Carries out a call that writes, and then gives hints.
   *
   * @param held The IDs of workflows that a run may hold after the call.
   */
  write<T>(name: string, run: (tx: Transaction) => T, held?: (result: T) => string[]): Promise<T> {
    return this.call(name, () => this.#write(run, held));
  }

  /** Creates a workflow, by one statement if that is enough. */
  create(request: CreateRequest): Promise<CreateResult> {
    const held = () => [request.workflowId];
    return this.call("create", () => {
      return this.#alone((tx) => createAlone(tx, request), held) ??
        this.#write((tx) => WRITES.create(tx, request), held);
    });
  }

  /** Sends messages, by one statement if that is enough. */
  send(messages: readonly NewMessage[]): Promise<SendResult> {
    return this.call("send", () => {
      return this.#alone((tx) => sendAlone(tx, messages)) ?? this.#write((tx) => WRITES.send(tx, messages));
    });
  }

  /** Makes a commit, a light one if that is enough. */
  commit(request: CommitRequest): Promise<CommitResult> {
    const held = () => [request.workflowId];
    return this.call(
      "commit",
      () => this.#lightCommit(request) ?? this.#write((tx) => WRITES.commit(tx, request), held),
    );
  }

  /** Runs a call that is one statement. Returns `null` if the call is more than that. */
  #alone<T>(run: (tx: Transaction) => T | null, held?: () => string[]): T | null {
    const tx = this.#begin();
    const result = this.#database.alone(() => run(tx));
    if (result !== null) this.#finish(tx, held?.());
    return result;
  }

  #write<T>(run: (tx: Transaction) => T, held?: (result: T) => string[]): T {
    const tx = this.#begin();
    const result = this.#database.write(() => {
      const result = run(tx);
      tx.save();
      return result;
    });
    this.#finish(tx, held?.(result));
    return result;
  }

  /** Remembers the runs that may hold workflows after a call, and gives hints. */
  #finish(tx: Transaction, held: readonly string[] = []): void {
    for (const workflowId of held) this.#runs.note(tx, workflowId);
    this.#options.changes.changed(tx.changed);
  }

  #lightCommit(request: CommitRequest): CommitResult | undefined {
    const run = this.#runs.find(request);
    if (!run) return undefined;
    const tx = this.#begin();
    const commit = () => {
      const committed = lightCommit(tx, request, run);
      tx.save();
      return committed;
    };
    try {
      const committed = isOneStatement(request) ? this.#database.alone(commit) : this.#database.write(commit);
      this.#runs.set(request.workflowId, committed.run);
      this.#options.changes.changed(tx.changed);
      return committed.result;
    } catch (error) {
      if (error === NOT_LIGHT) return undefined;
      throw error;
    }
  }

  #begin(): Transaction {
    return new Transaction(this.#database, this.#options.now(), this.#options.changes.isWatched);
  }

  /**
   * Runs a function, again and again while the database is busy. SQLite's own wait would stop the
   * whole process, and is not fair.
   *
   * An object does not tell whether its code is in `transactionSync`, which is over once the caller's
   * code has returned.
   */
  async call<T>(name: string, run: () => T): Promise<T> {
    if (!this.#database.isShared) await undefined;
    let begun: number | undefined;
    for (let repeats = 0;; repeats++) {
      try {
        this.#getReady();
        return run();
      } catch (error) {
        begun ??= systemClock.now();
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
