/**
 * A harness over the Postgres driver on PGlite, a PostgreSQL in this process.
 *
 * @module
 */

import { PGlite } from "@electric-sql/pglite";
import { postgresDriver } from "../../../../drivers/postgres/mod.ts";
import type { RegisterTest } from "../../../../conformance/mod.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import { PostgresStore } from "./store.ts";
import { Requests } from "../../../support/requests.ts";

/**
 * Registers a test that uses PGlite. Deno does not check it for timers, because Postgres leaves
 * one: after a statement it starts a timer of 10 s for writing its statistics, and does not stop
 * it. The same suites run over the memory driver with that check, and every harness checks the
 * clock of Parley.
 */
export const pgliteTest: RegisterTest = (name, fn) =>
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });

// One database for a file, since it takes seconds to boot.
let opening: Promise<() => Promise<CountingHarness>> | undefined;

/** Two drivers over one empty store. */
export async function pgliteHarness(): Promise<CountingHarness> {
  opening ??= open();
  return await (await opening)();
}

async function open(): Promise<() => Promise<CountingHarness>> {
  const pglite = await PGlite.create();
  const store = await PostgresStore.create(pglite, "conformance");
  return () => {
    const requests = new Requests();
    // Longer than the default, because the largest calls share a machine with all other tests.
    const driver = () => postgresDriver(requests.over(pglite), { schema: store.schema, requestTimeout: "60s" });
    return store.harness([driver(), driver()], requests);
  };
}
