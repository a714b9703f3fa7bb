import assert from "node:assert/strict";
import { pageOf, sectionsOf } from "../../bench/page/text.ts";
import type { Measurement, Results } from "../../bench/results.ts";

/** The results of a run. */
function resultsOf(date: string, measurements: readonly Measurement[]): Results {
  return {
    format: 1,
    date,
    versions: { parley: date },
    machine: { cores: 2, memoryGiB: 4, processor: "a processor", os: "an OS" },
    options: { rounds: 1, poolSize: 10, runtime: "node" },
    measurements,
  };
}

/** The measurement of a step, with one figure. */
function stepOf(system: string, figure: number, others: Partial<Measurement> = {}): Measurement {
  return {
    case: "step",
    group: "operations",
    title: "step",
    unit: "ms",
    system,
    distanceMs: 0,
    rounds: [figure],
    operations: 1,
    ...others,
  };
}

/** The rows of the tables with these titles. */
function rowsOf(title: string, ...runs: Results[]): string[] {
  const { table } = sectionsOf(runs).find((section) => section.title === title)!;
  return table.split("\n").slice(2);
}

Deno.test("the page divides figures of one run, and shows the last run that has a case", () => {
  const first = resultsOf("2026-01-01", [stepOf("parley", 1), stepOf("dbos", 2)]);
  const alone = resultsOf("2026-01-02", [stepOf("parley", 100)]);
  const last = resultsOf("2026-01-03", [stepOf("parley", 1), stepOf("dbos", 3)]);
  const title = "Operations beside DBOS";
  assert.deepEqual(rowsOf(title, first, alone), ["| step | 2.00 (2.00-2.00) |"]);
  assert.deepEqual(rowsOf(title, first, alone, last), ["| step | 3.00 (3.00-3.00) |"]);
  const page = pageOf([{ name: "first.json", results: first }, { name: "last.json", results: last }]);
  assert.match(page, /\| parley \| 2026-01-01 \| 2026-01-03 \|/);
});

Deno.test("the page divides Parley and DBOS by the same bare request", () => {
  const insert = stepOf("bare", 2, { case: "insert", title: "insert" });
  const parley = stepOf("parley", 3, { bare: "insert" });
  const title = "Beside bare requests";
  assert.deepEqual(rowsOf(title, resultsOf("2026-01-01", [insert, parley])), ["| step | insert | 1.50 (1.50-1.50) |"]);
  assert.deepEqual(rowsOf(title, resultsOf("2026-01-01", [insert, parley, stepOf("dbos", 8)])), [
    "| step | insert | 1.50 (1.50-1.50) | 4.00 (4.00-4.00) |",
  ]);
});

Deno.test("the page shows each call in larger stores by the smallest one, and names those that grow", () => {
  const grown = (call: string, items: number, figure: number) =>
    stepOf("parley", figure, {
      case: `growth-postgres-${call}`,
      group: "growth",
      title: `${call}, Postgres`,
      items,
      blocks: items / 10,
    });
  const results = resultsOf("2026-01-01", [
    grown("send", 100, 3),
    grown("send", 10, 2),
    grown("list", 10, 2),
    grown("list", 100, 2.1),
  ]);
  assert.deepEqual(rowsOf("Growth of the store, Postgres", results), [
    "| send | 1.50 (1.50-1.50) | 1 to 10 |",
    "| list | 1.05 (1.05-1.05) | 1 to 10 |",
  ]);
  const [, behind] = pageOf([{ name: "results.json", results }]).split("## Where Parley is behind");
  assert.deepEqual(behind!.split("\n## ")[0]!.match(/^- .*/gm), ["- send, Postgres, 100 items: 1.50 (1.50-1.50)"]);
});

Deno.test("the page shows the commands that Upstash bills, at the smallest distance", () => {
  const bill = (distanceMs: number, system: string, commands: number) =>
    stepOf(system, 1, { group: "upstash", distanceMs, requests: 1, commands });
  const results = resultsOf("2026-01-01", [bill(5, "parley", 9), bill(0, "parley", 8), bill(0, "realtime", 4)]);
  assert.deepEqual(rowsOf("Requests and billed commands at Upstash", results), ["| step | 1 | 8 | 1 | 4 |"]);
});
