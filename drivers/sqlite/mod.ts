/**
 * A driver for SQLite, through the clients of Node, Deno and Bun, better-sqlite3, or the storage of
 * a Durable Object.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import type { SqliteClient, SqliteObjectStorage } from "./database.ts";
import { openSqlite, type SqliteDriverOptions } from "./open.ts";

export type { SqliteClient, SqliteObjectStorage, SqliteParams, SqliteStatement } from "./database.ts";
export type { SqliteDriverOptions } from "./open.ts";

/**
 * Makes a driver over a SQLite database.
 *
 * Each call is one transaction. The first call creates the tables, whose names begin with `parley_`,
 * and sets the connection up: it switches the file to the write-ahead log, and sets `busy_timeout`
 * and `synchronous`. Several processes of one machine may use one file. The store's clock is the
 * clock of the process that makes a call.
 *
 * While another connection writes, a call waits without stopping the process. A call never becomes
 * part of a transaction of the caller. It waits until that transaction is over. The one exception is
 * the asynchronous `ctx.storage.transaction` of a Durable Object, in which no call may be made.
 *
 * Hints reach waits in the same process at once. Commits of other processes are noticed within
 * about 20 ms, while something waits.
 *
 * A call that fails rejects with `DriverError`. It is `retryable` if the database stayed busy, or if
 * the disk is full or cannot be read.
 *
 * @param database A connection of `node:sqlite`, `bun:sqlite` or `better-sqlite3`, or `ctx.storage`
 * of a Durable Object with SQLite. It belongs to the caller, who closes it. It must return rows as
 * objects and integers as numbers, as all of them do by default.
 * @param options What a commit survives, and how long a call waits for other connections.
 * @returns The driver.
 * @throws {ValidationError} If the database is not one of these, or an option is not valid.
 *
 * @example Store a workflow in a file
 * ```ts ignore
 * import { sqliteDriver } from "@parley/parley/sqlite";
 * import { DatabaseSync } from "node:sqlite";
 * import assert from "node:assert/strict";
 *
 * const database = new DatabaseSync(":memory:"); // or the path of a file
 * const driver = sqliteDriver(database);
 * const order = { workflowId: "order-1", name: "order", input: "null" };
 * await driver.create({ ...order, owner: crypto.randomUUID(), leaseMs: null });
 *
 * const workflow = await driver.readWorkflow("order-1");
 * assert.equal(workflow?.status, "ENQUEUED");
 * database.close();
 * ```
 *
 * @category Driver
 */
export function sqliteDriver(
  database: SqliteClient | SqliteObjectStorage,
  options: SqliteDriverOptions = {},
): Driver {
  return openSqlite(database, options).driver;
}
