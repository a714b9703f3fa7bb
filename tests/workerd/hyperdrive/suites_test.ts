import assert from "node:assert/strict";
import { postgresUrl } from "../../drivers/postgres/support/server.ts";
import { openPool } from "../../drivers/postgres/support/postgres.ts";
import { PostgresStore } from "../../drivers/postgres/support/store.ts";
import { startWorker } from "../../support/workerd/mod.ts";

const url = await postgresUrl();
const schema = `Hyperdrive ${crypto.randomUUID()}`;
const store = await PostgresStore.create(await openPool(url), schema);
const worker = await startWorker({
  entry: "tests/workerd/entries/hyperdrive_suites.ts",
  bindings: { SCHEMA: schema },
  hyperdrive: url,
});
Deno.test.afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await store.drop();
});

const suites: Record<string, string[]> = await (await worker.fetch("/")).json();

/** The rule of the whole workflows that uses every operation. The others take minutes. */
const EVERY_OPERATION = "a workflow that uses every operation ends with the expected result";
if (Deno.env.get("PARLEY_CRASH_CALLS") !== "all") {
  console.log("Only one whole workflow runs over Hyperdrive; with PARLEY_CRASH_CALLS=all, all of them do");
  assert(suites.workflows?.includes(EVERY_OPERATION));
  suites.workflows = [EVERY_OPERATION];
}

for (const [suite, names] of Object.entries(suites)) {
  for (const name of names) {
    Deno.test({
      name: `over Hyperdrive, ${suite}: ${name}`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const response = await worker.fetch(`/?${new URLSearchParams({ suite, test: name })}`);
        assert.equal(response.status, 200, await response.text());
      },
    });
  }
}
