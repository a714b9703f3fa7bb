/**
 * The rules of push, with the clients and versions that tests/drivers/postgres/newest_test.ts does
 * not use.
 *
 * @module
 */

import { PGlite } from "@electric-sql/pglite";
import postgres from "postgres";
import type { Queryable } from "../../../../drivers/postgres/mod.ts";
import { watch } from "../../../../conformance/rules/store/watch.ts";
import { registerSuite } from "../../../../conformance/suite.ts";
import { type ListeningClient, listeningHarness } from "../support/listening.ts";
import { openPool } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";

async function register(client: string, backstage: Queryable, clients: [ListeningClient, ListeningClient]) {
  const harness = await listeningHarness(backstage, clients);
  // The clients end their connections after Deno's check for leaks.
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${client}: ${name}`, fn, sanitizeOps: false, sanitizeResources: false });
  registerSuite({ name: "push", rules: [watch] }, test, harness);
}

const url = await postgresUrl();

function openPostgresJs(): ListeningClient {
  const sql = postgres(url, { max: 3 });
  Deno.test.afterAll(() => sql.end());
  const query = async (text: string, params: unknown[] = []) => ({ rows: await sql.unsafe(text, params as string[]) });
  return { queryable: { query }, listen: sql.listen };
}
await register("postgres.js", await openPool(url), [openPostgresJs(), openPostgresJs()]);

const database = await PGlite.create();
const inProcess = { queryable: database, listen: database };
await register("PGlite", database, [inProcess, inProcess]);

const oldest = await oldestPostgresUrl();
if (oldest !== null) {
  const [a, b] = [await openPool(oldest), await openPool(oldest)];
  await register("PostgreSQL 14", a, [{ queryable: a, listen: a }, { queryable: b, listen: b }]);
}
