/**
 * A schema for the suites, in any PostgreSQL.
 *
 * @module
 */

import type { Driver } from "../../../../core/driver/driver.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { SQL_PUSH_TIMING } from "../../../../drivers/postgres/push/push.ts";
import type { PushTiming } from "../../../../drivers/push.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import type { Requests } from "../../../support/requests.ts";

const HOUR_MS = 3_600_000;

/** A push that opens and closes at once, because the suites wait often and briefly. */
export const EAGER: PushTiming = { ...SQL_PUSH_TIMING, openAfterMs: 0, lingerMs: 0 };

/** The schema of a test file. Its clock only moves by hand, and it is emptied after each test. */
export class PostgresStore {
  /** The schema's name, unquoted. */
  readonly schema: string;
  readonly #queryable: Queryable;
  readonly #quoted: string;
  readonly #empty: string;

  private constructor(queryable: Queryable, schema: string, tables: readonly unknown[]) {
    this.schema = schema;
    this.#queryable = queryable;
    this.#quoted = quoted(schema);
    // Deleting rows takes 1 ms, and truncating tables takes 25. A schema per test takes 200, and on
    // PGlite it gets slower with each one, because a session keeps the plans of dropped functions
    // and searches them at each DDL statement.
    const deletes = tables.map((table, index) => `t${index} as (delete from ${table})`);
    this.#empty = `with ${deletes.join(", ")} select`;
  }

  /** Creates the schema. */
  static async create(queryable: Queryable, schema: string): Promise<PostgresStore> {
    await postgresDriver(queryable, { schema }).migrate();
    const clock = `${quoted(schema)}.test_clock`;
    await queryable.query(`create table ${clock} (ms bigint)`);
    await queryable.query(
      `create or replace function ${
        quoted(schema)
      }.now_ms() returns bigint language sql volatile as $$select ms from ${clock}$$`,
    );
    return await PostgresStore.open(queryable, schema);
  }

  /** Opens a schema that {@linkcode create} has made, through another client. */
  static async open(queryable: Queryable, schema: string): Promise<PostgresStore> {
    const { rows } = await queryable.query(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1 and tablename <> 'migrations'`,
      [schema],
    );
    return new PostgresStore(queryable, schema, rows.map(({ name }) => name));
  }

  /** Drops the schema. */
  async drop(): Promise<void> {
    await this.#queryable.query(`drop schema ${this.#quoted} cascade`);
  }

  /**
   * Makes a harness for one test. The store's clock is an hour ahead of the other, so a driver that
   * confuses the two fails.
   *
   * @param drivers The two instances.
   * @param requests The requests that they send.
   */
  async harness(drivers: readonly [Driver, Driver], requests: Requests): Promise<CountingHarness> {
    const clock = new ManualClock(undefined, { settled: () => requests.settled() });
    await this.#queryable.query(`insert into ${this.#quoted}.test_clock values ($1)`, [clock.now() + HOUR_MS]);
    // The store's clock moves before the next request, because most steps of a test are followed by
    // another step.
    let ahead = 0;
    let moved: Promise<unknown> = Promise.resolve();
    requests.before = () => {
      if (ahead !== 0) moved = this.#queryable.query(`update ${this.#quoted}.test_clock set ms = ms + $1`, [ahead]);
      ahead = 0;
      return moved;
    };
    const move = async (ms: number) => {
      await requests.settled();
      ahead += ms;
      await clock.advance(Math.max(0, ms));
    };
    // Time may pass in the test and in the code that it runs, so moves follow each other.
    let moving = Promise.resolve();
    return {
      drivers,
      clock,
      requests: () => requests.count,
      advance: (ms) => moving = moving.then(() => move(ms)),
      [Symbol.asyncDispose]: async () => void await this.#queryable.query(this.#empty),
    };
  }
}

/** Quotes a name for SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
