/**
 * A schema for the suites, in whatever PostgreSQL.
 *
 * @module
 */

import type { Driver } from "../../../../core/driver/driver.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import type { Requests } from "../../../support/requests.ts";

const HOUR_MS = 3_600_000;

/** The schema of a test file: its clock only moves by hand, and it is emptied after each test. */
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
    // To delete takes a millisecond where to truncate takes 25. A schema for each test takes 200, and on PGlite gets slower with each: a session
    // keeps the plans of dropped functions and looks through them at each DDL.
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
   * A harness for one test. The store's clock is an hour ahead of the other: a driver that took one for the other would fail.
   *
   * @param drivers The two instances.
   * @param requests What they send.
   */
  async harness(drivers: readonly [Driver, Driver], requests: Requests): Promise<CountingHarness> {
    const clock = new ManualClock(undefined, { settled: () => requests.settled() });
    await this.#queryable.query(`insert into ${this.#quoted}.test_clock values ($1)`, [clock.now() + HOUR_MS]);
    // The store's clock moves when somebody is about to look: most steps of a test are followed by another one.
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
    // What a test runs may itself let time pass, while the test does: one after the other.
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

/** A name as SQL has it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
