/**
 * The clients for Node and Deno, each with the code of docs/postgres.md. A test compares the two.
 *
 * @module
 */

import type { Driver } from "@parley/parley/driver";
import { postgresDriver } from "@parley/parley/postgres";
import { PrismaPg } from "@prisma/adapter-pg";
import { drizzle } from "drizzle-orm/node-postgres";
import knexOf from "knex";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import { QueryTypes, Sequelize } from "sequelize";
import { connect } from "ts-postgres";

const { Pool } = pg;

/** A driver over a client, and a function that ends the client. */
export interface Opened {
  readonly driver: Driver;
  readonly close: () => Promise<unknown>;
}

/** Opens a client. */
export type Open = (url: string, schema: string) => Opened | Promise<Opened>;

/** The clients, by their names in the guide. */
export const CLIENTS: Readonly<Record<string, Open>> = {
  "node-postgres": (url, schema) => {
    const pool = new Pool({ connectionString: url, query_timeout: 9_000, connectionTimeoutMillis: 5_000 });
    pool.on("error", (error) => console.error(error.message)); // without a listener, a connection that breaks ends the process
    const driver = postgresDriver(pool, { schema });
    return { driver, close: () => pool.end() };
  },
  "postgres.js": (url, schema) => {
    const sql = postgres(url);
    const query = async (text: string, params: unknown[] = []) => ({
      rows: await sql.unsafe(text, params as string[]),
    });
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => sql.end() };
  },
  "Kysely": (url, schema) => {
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) });
    const query = (text: string, params?: unknown[]) =>
      db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, params));
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => db.destroy() };
  },
  "Drizzle": (url, schema) => {
    const db = drizzle(url);
    const driver = postgresDriver(db.$client, { schema });
    return { driver, close: () => db.$client.end() };
  },
  "Prisma": async (url, schema) => {
    const adapter = await new PrismaPg({ connectionString: url }).connect();
    const query = async (sql: string, args: unknown[] = []) => {
      const argTypes = args.map(() => ({ scalarType: "string", arity: "scalar" }) as const);
      const { columnNames, rows } = await adapter.queryRaw({ sql, args, argTypes });
      return { rows: rows.map((row) => Object.fromEntries(row.map((value, index) => [columnNames[index], value]))) };
    };
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => adapter.dispose() };
  },
  "Sequelize": (url, schema) => {
    const sequelize = new Sequelize(url, { dialectModule: pg, logging: false });
    const query = async (text: string, params: unknown[] = []) => {
      const bind = params.length > 0 ? { bind: params } : {}; // with an empty list Sequelize would change the text
      return { rows: await sequelize.query<Record<string, unknown>>(text, { ...bind, type: QueryTypes.SELECT }) };
    };
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => sequelize.close() };
  },
  "Knex": (url, schema) => {
    const knex = knexOf({ client: "pg", connection: url });
    const query = async (text: string, params?: unknown[]) => {
      const connection = await knex.client.acquireConnection();
      try {
        return await connection.query(text, params); // knex.raw() would take each ? in the text for a parameter
      } finally {
        await knex.client.releaseConnection(connection);
      }
    };
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => knex.destroy() };
  },
  "ts-postgres": async (url, schema) => {
    const { hostname: host, port, username: user, password, pathname } = new URL(url);
    const client = await connect({ host, port: Number(port), user, password, database: pathname.slice(1) });
    const query = async (text: string, params?: unknown[]) => {
      const { names, rows } = await client.query(text, params);
      return { rows: rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))) };
    };
    const driver = postgresDriver({ query }, { schema });
    return { driver, close: () => client.end() };
  },
};
