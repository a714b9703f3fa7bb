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

/** How many tests the worker runs in one request. */
const AT_ONCE = 40;

for (const [suite, all] of Object.entries(suites)) {
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const names = all.slice(from, from + AT_ONCE);
    let faults: Promise<string[]> | undefined;
    const run = async (): Promise<string[]> => {
      const response = await worker.fetch("/", { method: "POST", body: JSON.stringify({ suite, names }) });
      assert.equal(response.status, 200, `${await response.clone().text()} ${worker.logs}`);
      return await response.json();
    };
    for (const [index, name] of names.entries()) {
      Deno.test({
        name: `over Hyperdrive, ${suite}: ${name}`,
        sanitizeOps: false,
        sanitizeResources: false,
        async fn() {
          faults ??= run();
          assert.equal((await faults)[index], "");
        },
      });
    }
  }
}
