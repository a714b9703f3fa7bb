/**
 * A harness over the Postgres driver on a PostgreSQL server, through node-postgres.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import type { RegisterTest } from "../../../../conformance/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import { GUEST } from "./server.ts";
import { PostgresStore } from "./store.ts";
import { Requests } from "../../../support/requests.ts";

const CONNECTIONS = 10;

/** Longer than the default, because the largest calls share a machine with all other tests. */
const REQUEST_TIMEOUT = "60s";

/**
 * Registers a test that uses a pool. Deno does not check it for pending operations, because each
 * connection of the pool always has a read under way.
 */
export const postgresTest: RegisterTest = (name, fn) => Deno.test({ name, fn, sanitizeOps: false });

/**
 * Opens a pool with all of its connections. It ends after the tests of the file.
 *
 * @param url The connection string.
 * @param config Other options of node-postgres.
 */
export async function openPool(url: string, config: pg.PoolConfig = {}): Promise<pg.Pool> {
  // Idle connections have no time limit, which would close them during a test.
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0, ...config });
  pool.on("error", () => {}); // Otherwise an idle connection that the server ends would end the process.
  Deno.test.afterAll(() => pool.end());
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  for (const client of clients) client.release();
  return pool;
}

/**
 * Returns the connection string of a role that may create nothing. A server that the tests did not
 * start may lack the role.
 *
 * @param queryable Creates the role if it is missing.
 * @param url The connection string of `queryable`.
 */
export async function guestUrl(queryable: Queryable, url: string): Promise<string> {
  await queryable.query(`do $$ begin
    if to_regrole('${GUEST}') is null then
      create role ${GUEST} login password '${GUEST}';
    end if;
  exception when duplicate_object or unique_violation then null; -- Another test file was faster.
  end $$`);
  const guest = new URL(url);
  [guest.username, guest.password] = [GUEST, GUEST];
  return guest.href;
}

/**
 * Makes harnesses over one schema, with a pool for each of two instances.
 *
 * @param url The connection string.
 */
export async function postgresHarness(url: string): Promise<() => Promise<CountingHarness>> {
  const [a, b] = [await openPool(url), await openPool(url)];
  // The name needs quotes.
  const store = await PostgresStore.create(a, `Test ${crypto.randomUUID()}`);
  Deno.test.afterAll(() => store.drop());
  return () => {
    const requests = new Requests();
    const driver = (pool: pg.Pool) =>
      postgresDriver(requests.over(pool), { schema: store.schema, requestTimeout: REQUEST_TIMEOUT });
    return store.harness([driver(a), driver(b)], requests);
  };
}
