/**
 * A harness over the SQLite driver, through any client and in any runtime.
 *
 * @module
 */

import type { SqliteClient } from "../../../../drivers/sqlite/mod.ts";
import { openSqlite } from "../../../../drivers/sqlite/open.ts";
import { nextTask } from "../../../../core/time/clock.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";

const HOUR_MS = 3_600_000;

/** How many tasks an answer may take to set off the next request. */
const TASKS_TO_SETTLE = 5;

/**
 * Makes a harness for one test. Disposing of it empties the file, because making a new file waits for
 * the disk.
 *
 * The store's clock is an hour ahead of the other one, so that a driver that confuses them fails.
 * Commits of the other connection are also looked for whenever the clock waits.
 *
 * @param clients Two connections to one file.
 */
export function harnessOver(clients: readonly [SqliteClient, SqliteClient]): CountingHarness {
  const storeClock = new ManualClock(Date.UTC(2025, 0, 1) + HOUR_MS);
  let requests = 0;
  const [a, b] = clients.map((client) => openSqlite(counted(client, () => requests += 1), {}, { storeClock }));
  const clock = new ManualClock(undefined, {
    async settled() {
      for (let tasks = 0; tasks < TASKS_TO_SETTLE; tasks++) {
        a!.changes.look();
        b!.changes.look();
        await nextTask();
      }
    },
  });
  return {
    drivers: [a!.driver, b!.driver],
    clock,
    async advance(ms) {
      storeClock.set(storeClock.now() + ms);
      await clock.advance(Math.max(0, ms));
    },
    requests: () => requests,
    [Symbol.asyncDispose]: () => Promise.resolve(empty(clients[0])),
  };
}

function empty(client: SqliteClient): void {
  const tables = client.prepare("select name from sqlite_master where type = 'table'").all() as { name: string }[];
  for (const { name } of tables) if (name !== "parley_migrations") client.exec(`delete from ${name}`);
}

/**
 * A client that counts transactions. A statement outside of one is one by itself, unless it changes
 * nothing. Then the call goes on with a transaction, which is counted.
 */
function counted(client: SqliteClient, count: () => void): SqliteClient {
  let isOpen = false;
  return {
    exec: (sql) => client.exec(sql),
    prepare(sql) {
      const statement = client.prepare(sql);
      const counts = (result: unknown) =>
        sql.startsWith("begin") ||
        (!isOpen && sql.startsWith("insert") &&
          (Array.isArray(result) ? result.length > 0 : (result as { changes: number }).changes > 0));
      const noted = <T>(result: T): T => {
        if (counts(result)) count();
        if (sql.startsWith("begin")) isOpen = true;
        if (sql === "commit" || sql === "rollback") isOpen = false;
        return result;
      };
      return {
        all: (...params) => noted(statement.all(...params)),
        run: (...params) => noted(statement.run(...params)),
      };
    },
  };
}
