import assert from "node:assert/strict";
import { readRows, replaceTable, WRITES_COSTS } from "../../support/cost_table.ts";
import { startWorker } from "../../support/workerd/mod.ts";
import type { ObjectCost, ObjectCosts } from "./entries/costs.ts";

const GUIDE = new URL("../../../docs/costs.md", import.meta.url);
const HEAD = ["Operation", "Requests", "Rows read", "Rows written"];

const worker = await startWorker({
  entry: "tests/drivers/durable_object/entries/costs.ts",
  objects: { STORE: "Store" },
  flags: ["nodejs_compat"],
});
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

const toRow = (
  [name, { requests, read, written }]: [string, ObjectCost],
) => [name, ...[requests, read, written].map(String)];

Deno.test("the guide's tables have the requests and rows of each operation in an object", async () => {
  const response = await worker.fetch("/");
  assert(response.ok, await response.clone().text());
  const costs: ObjectCosts = await response.json();
  for (const [table, operations] of Object.entries(costs)) {
    const name = `Durable Objects, ${table}`;
    const rows = Object.entries(operations).map(toRow);
    const guide = await Deno.readTextFile(GUIDE);
    if (WRITES_COSTS) await Deno.writeTextFile(GUIDE, replaceTable(guide, name, { head: HEAD, rows }));
    else assert.deepEqual(readRows(guide, name), rows, `${name}; PARLEY_WRITE_COSTS=1 writes the tables`);
  }
});
