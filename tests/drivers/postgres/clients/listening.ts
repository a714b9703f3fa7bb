/**
 * What listens for hints, with each client for Node and Deno and the code of docs/postgres.md. A
 * test compares the two.
 *
 * @module
 */

import { type Listen, postgresDriver } from "@parley/parley/postgres";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import { connect } from "ts-postgres";
import type { Open } from "./node.ts";

const { Pool } = pg;

/** Opens a client whose driver listens, by its name in the guide. */
export const LISTENING: Readonly<Record<string, Open>> = {
  "node-postgres": (url, schema) => {
    const pool = new Pool({ connectionString: url });
    const driver = postgresDriver(pool, { schema, listen: true });
    return { driver, close: () => pool.end() };
  },
  "postgres.js": (url, schema) => {
    const sql = postgres(url);
    const query = async (text: string, params: unknown[] = []) => ({
      rows: await sql.unsafe(text, params as string[]),
    });
    const driver = postgresDriver({ query }, { schema, listen: sql.listen });
    return { driver, close: () => sql.end() };
  },
  "another client": (url, schema) => {
    const sql = postgres(url);
    const query = async (text: string, params: unknown[] = []) => ({
      rows: await sql.unsafe(text, params as string[]),
    });
    const driver = postgresDriver({ query }, { schema, listen: new Pool({ connectionString: url }) });
    return { driver, close: () => sql.end() };
  },
  "ts-postgres": async (url, schema) => {
    const { hostname: host, port, username: user, password, pathname } = new URL(url);
    const options = { host, port: Number(port), user, password, database: pathname.slice(1) };
    const client = await connect(options);
    const query = async (text: string, params?: unknown[]) => {
      const { names, rows } = await client.query(text, params);
      return { rows: rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))) };
    };
    const listen: Listen = async (channel, onNotification) => {
      const listening = await connect(options);
      listening.on("notification", ({ payload = "" }) => onNotification(payload));
      await listening.query(`listen ${channel}`);
      return { unlisten: () => listening.end() };
    };
    const driver = postgresDriver({ query }, { schema, listen });
    return { driver, close: () => client.end() };
  },
};
