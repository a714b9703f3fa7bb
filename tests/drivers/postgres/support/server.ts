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
 * Returns the connection string of a server of the newest version: from `DATABASE_URL`, or of the
 * server that `deno task test` has started. If there is neither, it starts a server that stops with
 * this process.
 *
 * Call it while a test file loads. In a test, Deno would report the server as a leak.
 */
export function postgresUrl(): Promise<string> {
  newest ??= given("DATABASE_URL", "PARLEY_TEST_POSTGRES") ?? startPostgres().then(({ url }) => url);
  return newest;
}

/**
 * Returns the same for the oldest supported version. If the machine cannot run it, it says so and
 * returns `null`.
 */
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
