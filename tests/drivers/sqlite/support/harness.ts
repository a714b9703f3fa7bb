/**
 * A harness over the SQLite driver: two connections to one file.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import type { SqliteClient } from "../../../../drivers/sqlite/mod.ts";
import { openSqlite } from "../../../../drivers/sqlite/open.ts";
import { nextTask } from "../../../../core/time/clock.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";

const HOUR_MS = 3_600_000;

/** How many tasks an answer may take to set off the next request. */
const TASKS_TO_SETTLE = 5;

/** The connections of all tests of a file, because making a file waits for the disk. */
let connections: readonly DatabaseSync[] | undefined;

function connect(): readonly DatabaseSync[] {
  const directory = Deno.makeTempDirSync({ prefix: "parley-sqlite-" });
  const databases = [1, 2].map(() => new DatabaseSync(`${directory}/store.db`));
  globalThis.addEventListener("unload", () => {
    for (const database of databases) database.close();
    Deno.removeSync(directory, { recursive: true });
  });
  return databases;
}

/**
 * The store's clock is an hour ahead of the other one, so that a driver that confuses them fails.
 * Commits of the other connection are also looked for whenever the clock waits.
 */
export function sqliteHarness(): Promise<CountingHarness> {
  const databases = connections ??= connect();
  const storeClock = new ManualClock(Date.UTC(2025, 0, 1) + HOUR_MS);
  let requests = 0;
  const opened = databases.map((database) => openSqlite(counted(database, () => requests += 1), {}, { storeClock }));
  const clock = new ManualClock(undefined, {
    async settled() {
      for (let tasks = 0; tasks < TASKS_TO_SETTLE; tasks++) {
        for (const { changes } of opened) changes.look();
        await nextTask();
      }
    },
  });
  return Promise.resolve({
    drivers: [opened[0]!.driver, opened[1]!.driver],
    clock,
    async advance(ms) {
      storeClock.set(storeClock.now() + ms);
      await clock.advance(Math.max(0, ms));
    },
    requests: () => requests,
    [Symbol.asyncDispose]() {
      const tables = databases[0]!.prepare("select name from sqlite_master where type = 'table'").all();
      for (const { name } of tables) if (name !== "parley_migrations") databases[0]!.exec(`delete from ${name}`);
      return Promise.resolve();
    },
  });
}

/** A client that counts the transactions that begin. */
function counted(database: DatabaseSync, count: () => void): SqliteClient {
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      if (!sql.startsWith("begin")) return statement;
      return { all: (...params) => statement.all(...params), run: () => (count(), statement.run()) };
    },
  };
}
