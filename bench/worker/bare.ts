/**
 * Bare statements over node-postgres, to which the systems are compared.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { VALUE } from "./programs.ts";
import type { Commands } from "./serve.ts";
import { hasTimes, now, pause, takeTask, taskOf, timed } from "./tasks.ts";

/** Creates what the statements need. */
export const SETUP: readonly string[] = [
  "create table if not exists bare (id bigint generated always as identity primary key, value text not null)",
  `create or replace function bare_insert(new_value text) returns bigint language plpgsql as $$
    declare new_id bigint;
    begin
      insert into bare (value) values (new_value) returning id into new_id;
      return new_id;
    end
  $$`,
];

/** The statements by name. */
export const STATEMENTS = {
  select: { text: "select 1", values: [] },
  insert: { text: "insert into bare (value) values ($1)", values: [VALUE] },
  function: { text: "select bare_insert($1)", values: [VALUE] },
} as const satisfies Record<string, { text: string; values: readonly string[] }>;

const CHANNEL = "bare";

/** The commands of bare statements. */
export async function bareCommands(url: string, poolSize: number): Promise<Commands> {
  const pool = new pg.Pool({ connectionString: url, max: poolSize });
  for (const statement of SETUP) await pool.query(statement);
  return {
    statement: ({ count, program }) => {
      const { text, values } = STATEMENTS[program as keyof typeof STATEMENTS];
      return timed(count, () => pool.query(text, [...values]));
    },
    /** Listens, and inserts a row on each notification. */
    listen: async ({ id, count }) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { times } = taskOf(id);
      client.on("notification", async () => {
        await pool.query(STATEMENTS.insert.text, [VALUE]);
        times.push(now());
        if (times.length === count) await client.end();
      });
      await client.query(`listen ${CHANNEL}`);
    },
    received: ({ id, count }) => hasTimes(id, count),
    times: ({ id }) => Promise.resolve(takeTask(id).times),
    sendLater: async ({ pauseMs }) => {
      await pause(pauseMs);
      const begin = now();
      await pool.query("select pg_notify($1, $2)", [CHANNEL, VALUE]);
      return begin;
    },
  };
}
