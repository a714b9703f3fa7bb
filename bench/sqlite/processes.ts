/**
 * Processes that commit to one file as fast as they can, beside bare inserts: the commits a second in
 * all, the longest wait of a commit, the longest statement, and the longest one that failed because of a
 * lock. A process stands still while a statement runs.
 *
 * @module
 */

// @ts-ignore: other packages hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { sqliteDriver } from "../../drivers/sqlite/mod.ts";

const MS = 4_000;
const PROCESSES = [1, 2, 8];

interface Result {
  readonly commits: number;
  readonly longestMs: number;
  readonly longestStatementMs: number;
  readonly longestLockMs: number;
}

const directory = await Deno.makeTempDir({ prefix: "parley-bench-sqlite-" });
const worker = new URL("worker.ts", import.meta.url).pathname;

async function runWorkers(kind: string, count: number): Promise<Result[]> {
  const path = `${directory}/${kind}-${count}.db`;
  const database = new DatabaseSync(path);
  await sqliteDriver(database).migrate();
  database.exec("create table bare (id integer primary key, value text not null) strict");
  database.close();
  return await Promise.all(Array.from({ length: count }, async () => {
    const args = ["run", "-A", "--no-check", worker, path, String(MS), kind];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }));
}

console.log("| Processes | commits a second | of one process | longest commit | longest statement | longest lock |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const count of PROCESSES) {
  for (const kind of ["bare", "driver"]) {
    const results = await runWorkers(kind, count);
    const rates = results.map(({ commits }) => Math.round(commits / MS * 1_000));
    const longest = (name: keyof Result) => `${Math.max(...results.map((it) => it[name])).toFixed(1)} ms`;
    const cells = [
      `${count}, ${kind === "bare" ? "bare inserts" : "steps"}`,
      String(rates.reduce((sum, rate) => sum + rate, 0)),
      `${Math.min(...rates)} to ${Math.max(...rates)}`,
      longest("longestMs"),
      longest("longestStatementMs"),
      longest("longestLockMs"),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
await Deno.remove(directory, { recursive: true });
