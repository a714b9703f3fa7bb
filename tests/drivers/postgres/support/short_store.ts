/**
 * A store with or without short functions, whose answers and rows a test compares.
 *
 * @module
 */

import type { PGlite } from "@electric-sql/pglite";
import type { Driver } from "../../../../core/driver/driver.ts";
import { systemClock } from "../../../../core/time/clock.ts";
import { sqlDriver } from "../../../../drivers/postgres/driver.ts";
import { clientQuery } from "../../../../drivers/postgres/queryable.ts";
import { quoted } from "./store.ts";

const START_MS = 1_700_000_000_000;

/** The functions that the statements of a driver have called, and how a short one answered. */
export type Called = Set<string>;

/** A store with a clock that a test moves. */
export interface Store {
  readonly driver: Pick<Driver, "create" | "claim" | "commit" | "send" | "control" | "migrate">;
  readonly called: Called;
  at(ms: number): Promise<void>;
  /** All rows of all tables. */
  rows(): Promise<unknown>;
  empty(): Promise<void>;
}

/** Opens a store in a schema of its own. */
export async function openStore(
  database: PGlite,
  schema: string,
  short: boolean,
  connections = 10,
): Promise<Store> {
  const called: Called = new Set();
  const query = clientQuery(
    {
      query: async (text, params = []) => {
        const answer = await database.query<{ result: string }>(text, params);
        const name = /\.([a-z_]+)_v1\(/.exec(text)?.[1] ?? "";
        const isInFull = answer.rows[0]?.result.startsWith("{");
        called.add(params.length === 1 ? name : `${name} in ${isInFull ? "full" : "short"}`);
        return answer;
      },
    },
    60_000,
    systemClock,
  );
  const driver = sqlDriver(query, { store: "Postgres", schema, connections, isAlone: true, short });
  await driver.migrate();
  called.clear();
  const clock = `${quoted(schema)}.test_clock`;
  await database.query(`create table ${clock} (ms bigint)`);
  await database.query(`insert into ${clock} values (${START_MS})`);
  await database.query(
    `create or replace function ${
      quoted(schema)
    }.now_ms() returns bigint language sql volatile as $$select ms from ${clock}$$`,
  );
  const tables = ["workflows", "journal", "messages", "events", "streams", "stream_values", "waiters"];
  return {
    driver,
    called,
    at: async (ms) => void await database.query(`update ${clock} set ms = $1`, [START_MS + ms]),
    rows: async () => {
      // The number of a slot depends on the schema.
      const columns = (table: string) => table === "waiters" ? "waiter_id, together" : "*";
      const read = tables.map((table) =>
        `(select json_agg(r order by r::text) from (select ${columns(table)} from ${quoted(schema)}.${table}) as r)`
      );
      const { rows: [row] } = await database.query(`select json_build_array(${read}) as all`);
      return row;
    },
    empty: async () => {
      const deletes = [...tables, "inbox_heads"].map((table, n) => `t${n} as (delete from ${quoted(schema)}.${table})`);
      await database.query(`with ${deletes} select`);
    },
  };
}
