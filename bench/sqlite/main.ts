/**
 * What calls of the driver for SQLite take, by a bare insert of a row in the same file, and beside
 * PGlite and a local PostgreSQL (`DATABASE_URL`). The stores take turns in rounds. Prints a table.
 *
 * @module
 */

// @ts-ignore: other packages hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { PGlite } from "@electric-sql/pglite";
// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "../../core/driver/driver.ts";
import { postgresDriver } from "../../drivers/postgres/mod.ts";
import { sqliteDriver } from "../../drivers/sqlite/mod.ts";
import { median } from "../case.ts";
import { CALLS, type Calls, timed, TOGETHER, VALUE } from "./calls.ts";

const ROUNDS = 12;

/** How many calls each store makes in a round. Those of SQLite fill the log several times in all rounds. */
const COUNTS: Readonly<Record<string, number>> = { sqlite: 200, PGlite: 40, PostgreSQL: 40 };

const mean = (times: readonly number[]) => times.reduce((sum, time) => sum + time, 0) / times.length;

const directory = await Deno.makeTempDir({ prefix: "parley-bench-sqlite-" });
const database = new DatabaseSync(`${directory}/store.db`);
const url = Deno.env.get("DATABASE_URL");
const pool = url === undefined ? undefined : new pg.Pool({ connectionString: url });
const schema = `bench ${crypto.randomUUID()}`;
const pglite = await PGlite.create(`${directory}/pglite`);
const drivers: Record<string, Driver> = {
  sqlite: sqliteDriver(database),
  PGlite: postgresDriver(pglite),
  ...(pool && { PostgreSQL: postgresDriver(pool, { schema }) }),
};
for (const driver of Object.values(drivers)) await driver.migrate();
database.exec("create table bare (id integer primary key, value text not null) strict");
const [begin, insert, commit] = ["begin immediate", "insert into bare (value) values (?)", "commit"].map((sql) =>
  database.prepare(sql)
);
const bareInserts: Calls = {
  call() {
    begin!.run();
    const result = insert!.run(VALUE);
    commit!.run();
    return Promise.resolve({ changes: result.changes });
  },
  answer: ["changes", 1],
};

const times = new Map<string, number[]>();
const note = (name: string, more: readonly number[]) => times.set(name, [...times.get(name) ?? [], ...more]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, prepare] of Object.entries(CALLS)) {
    note("bare", await timed(bareInserts, COUNTS.sqlite!));
    const parts = name.includes("each") ? TOGETHER : 1;
    for (const [store, driver] of Object.entries(drivers)) {
      const count = COUNTS[store]!;
      const all = await timed(await prepare(driver, count), count);
      // The first round only warms up.
      if (round > 0) note(`${store} ${name}`, all.map((time) => time / parts));
    }
  }
}

const bare = times.get("bare")!;
console.log(
  `A bare insert: median ${(1_000 * median(bare)).toFixed(1)} µs, mean ${(1_000 * mean(bare)).toFixed(1)} µs\n`,
);
const others = Object.keys(drivers).filter((store) => store !== "sqlite");
console.log(`| Call | by a bare insert | ${others.map((store) => `${store} by SQLite`).join(" | ")} |`);
console.log(`| --- | ${["", ...others].map(() => "---:").join(" | ")} |`);
for (const name of Object.keys(CALLS)) {
  const own = times.get(`sqlite ${name}`)!;
  const pair = (a: readonly number[], b: readonly number[], digits: number) =>
    `${(median(a) / median(b)).toFixed(digits)} (${(mean(a) / mean(b)).toFixed(digits)})`;
  const cells = others.map((store) => pair(times.get(`${store} ${name}`)!, own, 0));
  console.log(`| ${name} | ${pair(own, bare, 2)} | ${cells.join(" | ")} |`);
}

await pglite.close();
await pool?.query(`drop schema "${schema}" cascade`);
await pool?.end();
database.close();
await Deno.remove(directory, { recursive: true });
