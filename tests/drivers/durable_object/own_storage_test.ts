import assert from "node:assert/strict";
import { startWorker } from "../../support/workerd/mod.ts";

const worker = await startWorker({
  entry: "tests/drivers/durable_object/entries/own_storage.ts",
  objects: { SHOP: "Shop" },
});
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

async function ask(method: string): Promise<unknown> {
  const response = await worker.fetch("/", { method });
  assert(response.ok, await response.clone().text());
  return await response.json();
}

Deno.test("sqliteDriver keeps a store in the storage of an object, beside the object's own tables", async () => {
  const values = ["reserved"];
  assert.deepEqual(await ask("PUT"), { status: "PENDING", values, visits: 1 });
  const output = "a lamp is on its way";
  assert.deepEqual(await ask("POST"), { status: "SUCCESS", output, values, visits: 2 });
  assert.deepEqual(await ask("GET"), { status: "SUCCESS", output, values, visits: 3 });
});

Deno.test("a call never becomes part of a transaction that the object rolls back", async () => {
  assert.deepEqual(await ask("DELETE"), { status: "PENDING", unread: 1, visits: 0 });
});
