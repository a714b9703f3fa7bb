/**
 * How the processes of a fleet reach Postgres.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import type { OpenDriver } from "./mod.ts";

/** `argument`: the connection string and the schema, as JSON. */
export const openDriver: OpenDriver = (argument) => {
  const { url, schema }: { url: string; schema: string } = JSON.parse(argument);
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  // An idle connection that is cut must not end the process.
  pool.on("error", () => {});
  return { driver: postgresDriver(pool, { schema }), close: () => pool.end() };
};
