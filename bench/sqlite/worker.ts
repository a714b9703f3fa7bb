/**
 * One process of the benchmark: writes to a file as fast as it can. Its arguments are the path, the
 * milliseconds, and `driver` for steps of one workflow or `bare` for bare inserts, which wait for locks as
 * the driver does. It prints JSON.
 *
 * @module
 */

// @ts-ignore: other packages hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { begin } from "../../conformance/driven_run.ts";
import { record } from "../../conformance/operations.ts";
import { type SqliteClient, sqliteDriver } from "../../drivers/sqlite/mod.ts";
import { isBusy } from "../../drivers/sqlite/failure.ts";
import { BUSY_PAUSES } from "../../drivers/sqlite/open.ts";
import { backoffMs } from "../../core/time/backoff.ts";
import { delay, systemClock } from "../../core/time/clock.ts";
import { VALUE } from "./calls.ts";

const [path = "", ms = "0", kind = "driver"] = Deno.args;
const database = new DatabaseSync(path);

/** The longest statement, and the longest one that ended because another process had the lock. */
let longestStatementMs = 0;
let longestLockMs = 0;

/** A client that measures its statements. */
const measured: SqliteClient = {
  exec: (sql) => database.exec(sql),
  prepare(sql) {
    const statement = database.prepare(sql);
    const measure = <T>(run: () => T): T => {
      const begun = performance.now();
      try {
        return run();
      } catch (error) {
        longestLockMs = Math.max(longestLockMs, performance.now() - begun);
        throw error;
      } finally {
        longestStatementMs = Math.max(longestStatementMs, performance.now() - begun);
      }
    };
    return {
      all: (...params) => measure(() => statement.all(...params)),
      run: (...params) => measure(() => statement.run(...params)),
    };
  },
};

/** Makes the commits of the driver: steps of one workflow. */
async function steps(): Promise<(number: number) => Promise<unknown>> {
  const run = await begin(driver, crypto.randomUUID());
  return (number) => run.held([record(number, VALUE)]);
}

/** Makes bare inserts, each in a transaction. */
function bareInserts(): (number: number) => Promise<unknown> {
  const statements = ["begin immediate", "insert into bare (value) values (?)", "commit"].map((sql) =>
    measured.prepare(sql)
  );
  return async () => {
    for (let repeats = 0;; repeats++) {
      try {
        for (const [index, statement] of statements.entries()) statement.run(...index === 1 ? [VALUE] : []);
        return;
      } catch (error) {
        if (!isBusy(error)) throw error;
      }
      await delay(systemClock, backoffMs(repeats, BUSY_PAUSES));
    }
  };
}

const driver = sqliteDriver(measured);
await driver.migrate();
const commit = kind === "bare" ? bareInserts() : await steps();
let longestMs = 0;
let commits = 0;
const until = performance.now() + Number(ms);
longestStatementMs = longestLockMs = 0;
for (; performance.now() < until; commits++) {
  const begun = performance.now();
  await commit(commits);
  longestMs = Math.max(longestMs, performance.now() - begun);
  // A process that commits as fast as it can also does other things.
  if (commits % 50 === 0) await setImmediate();
}
database.close();
console.log(JSON.stringify({ commits, longestMs, longestStatementMs, longestLockMs }));
