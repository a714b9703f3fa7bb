/**
 * One way to use every synchronous SQLite: the clients of Node, Deno, Bun and better-sqlite3, and
 * the storage of a Durable Object.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { BusyError } from "./failure.ts";

/**
 * A connection of `node:sqlite`, `bun:sqlite` or `better-sqlite3`, as far as the driver uses it.
 *
 * @category Driver
 */
export interface SqliteClient {
  /** Carries out a text of SQL. */
  exec(sql: string): unknown;
  /** Prepares one statement. */
  prepare(sql: string): SqliteStatement;
}

/**
 * A prepared statement of a {@linkcode SqliteClient}.
 *
 * @category Driver
 */
export interface SqliteStatement {
  /** Returns all rows. */
  all(...params: SqliteParams): unknown[];
  /** Carries the statement out. */
  run(...params: SqliteParams): unknown;
}

/**
 * Parameters, each a text, a number or `null`.
 *
 * @category Driver
 */
// deno-lint-ignore no-explicit-any -- the types of better-sqlite3 take no `null`
export type SqliteParams = any[];

/**
 * The storage of a Durable Object with SQLite, `ctx.storage`, as far as the driver uses it.
 *
 * @category Driver
 */
export interface SqliteObjectStorage {
  /** The SQL of the storage. */
  sql: { exec(sql: string, ...params: SqliteParams): { toArray(): unknown[]; readonly rowsWritten: number } };
  /** Runs a function in a transaction. */
  transactionSync<T>(run: () => T): T;
}

/** What every client says of a statement that has written. */
interface Written {
  readonly changes: number;
  readonly lastInsertRowid: number;
}

/** What a parameter may be. Nothing else means the same to all clients. */
export type Param = string | number | null;

/** An open database. Every statement is prepared once. */
export interface Database {
  /** Returns the rows of a statement. */
  all<Row>(sql: string, ...params: Param[]): Row[];
  /** Carries out a statement that returns no rows. */
  run(sql: string, ...params: Param[]): void;
  /** Carries out an insert, an update or a delete. Returns whether it has written a row. */
  change(sql: string, ...params: Param[]): boolean;
  /** Carries out an insert of one row. Returns the row's number; `null` if no row was written. */
  insert(sql: string, ...params: Param[]): number | null;
  /** Runs one statement that is a transaction by itself. It saves the time of `begin` and `commit`. */
  alone<T>(run: () => T): T;
  /** Runs reads and writes, all or none, while no other connection writes. */
  write<T>(run: () => T): T;
  /** Runs reads on one snapshot. */
  read<T>(run: () => T): T;
  /** Sets the connection up. Repeating it does no harm. */
  configure(synchronous: "normal" | "full"): void;
  /** Whether other connections may write. */
  readonly isShared: boolean;
  /** Returns a number that changes with the commits of other connections. */
  version(): number;
}

/**
 * After how many pages of the log a commit copies them to the file. SQLite's 1,000 are about 500
 * steps. Four times as many make all commits together cheaper, and the longest one a little longer.
 */
const CHECKPOINT_PAGES = 4_000;

/** Opens a database over a client of the caller. */
export function openDatabase(client: SqliteClient | SqliteObjectStorage): Database {
  if (hasFunction(client, "transactionSync")) return objectDatabase(client as SqliteObjectStorage);
  if (!hasFunction(client, "prepare") || !hasFunction(client, "exec")) {
    throw new ValidationError(
      "Using SQLite: the database must be one of node:sqlite, bun:sqlite or better-sqlite3, or a Durable Object's ctx.storage",
    );
  }
  return clientDatabase(client as SqliteClient);
}

function hasFunction(client: unknown, name: string): boolean {
  return typeof client === "object" && client !== null && typeof Reflect.get(client, name) === "function";
}

function clientDatabase(client: SqliteClient): Database {
  const statements = new Map<string, SqliteStatement>();
  const prepared = (sql: string) => {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, statement = client.prepare(sql));
    return statement;
  };
  const alone = <T>(run: () => T): T => {
    if (isInTransaction(client)) throw new BusyError("the connection is in a transaction of the caller");
    return run();
  };
  /** `begin` is a statement and no `exec`, because the errors of Deno's `exec` have no code. */
  const transaction = <T>(begin: string, run: () => T): T => {
    alone(() => prepared(begin).run());
    try {
      const result = run();
      prepared("commit").run();
      return result;
    } catch (error) {
      try {
        prepared("rollback").run();
      } catch {
        // SQLite has rolled back by itself.
      }
      throw error;
    }
  };
  return {
    all: <Row>(sql: string, ...params: Param[]) => prepared(sql).all(...params) as Row[],
    run: (sql, ...params) => void prepared(sql).run(...params),
    change: (sql, ...params) => (prepared(sql).run(...params) as Written).changes > 0,
    insert(sql, ...params) {
      const { changes, lastInsertRowid } = prepared(sql).run(...params) as Written;
      return changes > 0 ? lastInsertRowid : null;
    },
    alone,
    // A transaction that reads before it writes would fail at once if another one is writing.
    write: (run) => transaction("begin immediate", run),
    read: (run) => transaction("begin", run),
    configure(synchronous) {
      // The whole process would stand still while SQLite waits for a lock.
      alone(() => client.exec("pragma busy_timeout = 0"));
      client.exec("pragma journal_mode = wal");
      client.exec(`pragma synchronous = ${synchronous}`);
      client.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      checkRows(prepared("select 9 as n").all());
    },
    isShared: true,
    version: () => Number(Object.values(prepared("pragma data_version").all()[0] as object)[0]),
  };
}

/** A Durable Object has one connection. It allows neither `begin` nor the pragmas of a file. */
function objectDatabase(storage: SqliteObjectStorage): Database {
  const { sql } = storage;
  const transaction = <T>(run: () => T): T => storage.transactionSync(run);
  const all = <Row>(text: string, ...params: Param[]) => sql.exec(text, ...params).toArray() as Row[];
  return {
    all,
    // An object fails on a cursor of `returning` that nobody reads.
    run: (text, ...params) => void sql.exec(text, ...params).toArray(),
    change(text, ...params) {
      const cursor = sql.exec(text, ...params);
      cursor.toArray();
      return cursor.rowsWritten > 0;
    },
    insert(text, ...params) {
      all(text, ...params);
      const [row] = all<{ number: number }>("select last_insert_rowid() as number where changes() > 0");
      return row?.number ?? null;
    },
    alone: (run) => run(),
    write: transaction,
    read: transaction,
    configure: () => {},
    isShared: false,
    version: () => 0,
  };
}

/** Whether the caller has begun a transaction on the connection. Every client has one of the members. */
function isInTransaction(client: object): boolean {
  return Reflect.get(client, "isTransaction") === true || Reflect.get(client, "inTransaction") === true;
}

/** Refuses a connection whose options change what rows look like. */
function checkRows(rows: unknown): void {
  if (Array.isArray(rows) && typeof rows[0] === "object" && rows[0] !== null && rows[0].n === 9) return;
  throw new ValidationError(
    "Using SQLite: the connection must return rows as objects and integers as numbers, without `returnArrays`, `readBigInts` or `safeIntegers`",
  );
}
