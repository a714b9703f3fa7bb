/**
 * A harness over the Postgres driver on PGlite, a PostgreSQL in this process.
 *
 * @module
 */

import { PGlite } from "@electric-sql/pglite";
import { postgresDriver, type Queryable } from "../../drivers/postgres/mod.ts";
import { ManualClock, type RegisterTest } from "../../testing/mod.ts";
import type { CountingHarness } from "./costs.ts";

/**
 * Registers a test that uses PGlite. Deno does not look for timers that it leaves behind, since Postgres leaves one: after a statement it
 * arms a timer of 10 s to write its statistics, and does not take it back. The same suites run over the memory driver with
 * that check, and every harness checks the clock that Parley gets.
 */
export const pgliteTest: RegisterTest = (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });

const SCHEMA = "conformance";
const HOUR_MS = 3_600_000;

// One database for a file, since it takes seconds to boot, and one schema that is emptied after each test. A schema for
// each test was ten times slower after a hundred: a session keeps the plans of dropped functions and looks through them at
// each DDL.
let database: Promise<Queryable & { tables: string }> | undefined;

/** Two drivers over one empty store, whose clock only moves by hand and is an hour ahead of the other. */
export async function pgliteHarness(): Promise<CountingHarness> {
  const { tables, query } = await (database ??= openDatabase());
  const clock = new ManualClock();
  let requests = 0;
  const counting: Queryable = {
    query(text, params) {
      requests += 1;
      return query(text, params);
    },
  };
  await query(`insert into ${SCHEMA}.test_clock values ($1)`, [clock.now() + HOUR_MS]);
  return {
    drivers: [postgresDriver(counting, { schema: SCHEMA }), postgresDriver(counting, { schema: SCHEMA })],
    clock,
    async advance(ms) {
      await query(`update ${SCHEMA}.test_clock set ms = ms + $1`, [ms]);
      await clock.advance(ms);
    },
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      await query(`truncate ${tables}`);
    },
  };
}

async function openDatabase(): Promise<Queryable & { tables: string }> {
  const pglite = await PGlite.create();
  const query: Queryable["query"] = (text, params) => pglite.query(text, params);
  await postgresDriver({ query }, { schema: SCHEMA }).migrate();
  await query(`create table ${SCHEMA}.test_clock (ms bigint)`);
  await query(
    `create or replace function ${SCHEMA}.now_ms() returns bigint language sql volatile as 'select ms from ${SCHEMA}.test_clock'`,
  );
  const { rows } = await query(
    `select string_agg(format('%I.%I', schemaname, tablename), ', ') as tables from pg_tables where schemaname = $1 and tablename <> 'migrations'`,
    [SCHEMA],
  );
  return { query, tables: String(rows[0]?.tables) };
}
