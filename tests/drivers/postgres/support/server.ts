/**
 * The PostgreSQL servers of a test run.
 *
 * @module
 */

import { HAS_OLDEST, startPostgres } from "../../../../scripts/postgres.ts";

export { GUEST, type PostgresOptions, type PostgresServer, startPostgres } from "../../../../scripts/postgres.ts";

let newest: Promise<string> | undefined;
let oldest: Promise<string | null> | undefined;

/**
 * The connection string of a server of the newest version: the one of `DATABASE_URL`, or the one that `deno task test` has started, or one that is
 * started now and stops with this process.
 *
 * To be called while a test file is loaded. In a test, Deno would count the server as a leak of it.
 */
export function postgresUrl(): Promise<string> {
  newest ??= given("DATABASE_URL", "PARLEY_TEST_POSTGRES") ?? startPostgres().then(({ url }) => url);
  return newest;
}

/** The same for the oldest supported version. Where the machine does not have it, it says so and answers with `null`. */
export function oldestPostgresUrl(): Promise<string | null> {
  oldest ??= given("PARLEY_TEST_POSTGRES_OLDEST") ?? startOldest();
  return oldest;
}

function given(...names: string[]): Promise<string> | null {
  const url = names.map((name) => Deno.env.get(name)).find((value) => value);
  return url ? Promise.resolve(url) : null;
}

async function startOldest(): Promise<string | null> {
  if (HAS_OLDEST) return (await startPostgres({ version: "oldest" })).url;
  console.log("npm has no PostgreSQL 14 for this machine: its tests are left out");
  return null;
}
