/**
 * One process of the benchmark: commits steps to a file as fast as it can. Its arguments are the path,
 * the milliseconds, and how many workflows run at once. It prints JSON.
 *
 * @module
 */

// @ts-ignore: other packages hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { begin } from "../../conformance/driven_run.ts";
import { record } from "../../conformance/operations.ts";
import { sqliteDriver } from "../../drivers/sqlite/mod.ts";
import { VALUE } from "./calls.ts";

const [path = "", ms = "0", workflows = "1"] = Deno.args;
const database = new DatabaseSync(path);
const driver = sqliteDriver(database);
await driver.migrate();

/** The longest time for which a timer of 1 ms was late, which is for how long the loop stood still. */
let blockedMs = 0;
let longestMs = 0;
let commits = 0;
let last = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  blockedMs = Math.max(blockedMs, now - last - 1);
  last = now;
}, 1);

const until = performance.now() + Number(ms);
await Promise.all(Array.from({ length: Number(workflows) }, async () => {
  const run = await begin(driver, crypto.randomUUID());
  for (let position = 0; performance.now() < until; position++) {
    const begun = performance.now();
    await run.held([record(position, VALUE)]);
    longestMs = Math.max(longestMs, performance.now() - begun);
    commits += 1;
    // Timers fire between tasks.
    if (position % 50 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}));
clearInterval(ticks);
database.close();
console.log(JSON.stringify({ commits, longestMs, blockedMs }));
