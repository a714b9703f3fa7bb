/**
 * Large cases over one file of SQLite: a workflow of 1,000 steps, 10,000 suspended workflows, and a sweep of
 * 1,000 workflows that are due. Prints a table of times and of the memory that the process then has.
 *
 * @module
 */

// @ts-ignore: other packages hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { sqliteDriver } from "../../drivers/sqlite/mod.ts";
import { Parley, workflow } from "../../mod.ts";

const STEPS = 1_000;
const SUSPENDED = 10_000;
const DUE = 1_000;

const steps = workflow("steps", async (ctx) => {
  for (let step = 0; step < STEPS; step++) await ctx.step("step", () => "x".repeat(98));
});
const waiting = workflow("waiting", async (ctx) => await ctx.recv("never"));
const due = workflow("due", () => "done");

const directory = await Deno.makeTempDir({ prefix: "parley-bench-sqlite-" });
const path = `${directory}/store.db`;
const database = new DatabaseSync(path);
const parley = new Parley({
  driver: sqliteDriver(database),
  workflows: [steps, waiting, due],
  wake: "none",
  hotWait: 0,
});

console.log("| Case | took | resident memory | file |");
console.log("| --- | ---: | ---: | ---: |");
async function measure(name: string, run: () => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  await run();
  const ms = Math.round(performance.now() - begun);
  database.exec("pragma wal_checkpoint(truncate)");
  const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  console.log(
    `| ${name} | ${ms} ms | ${mebibytes(Deno.memoryUsage().rss)} | ${mebibytes((await Deno.stat(path)).size)} |`,
  );
}

await measure("the first call", () => parley.sweep());
await measure(`a workflow of ${STEPS} steps`, async () => await (await parley.start(steps)).result());
await measure(`${SUSPENDED} workflows start and suspend`, async () => {
  for (let number = 0; number < SUSPENDED; number += 100) {
    await Promise.all(Array.from({ length: 100 }, () => parley.start(waiting)));
    await parley.idle();
  }
});
for (let number = 0; number < DUE; number++) await parley.start(due, undefined, { enqueue: true });
await measure(`sweeps of ${DUE} workflows that are due, until they have ended`, async () => {
  while ((await parley.sweep()).claimed > 0);
});
await parley.close();
database.close();
await Deno.remove(directory, { recursive: true });
