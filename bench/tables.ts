/**
 * The results as tables of ratios, for a terminal.
 *
 * @module
 */

import { find, lead, type Measurement, ratio, type Results, showRatio } from "./results.ts";

/** The cells of a row. */
type Cells = readonly (string | undefined)[];

const CELL_WIDTH = 26;

/** Prints the ratios of a run: systems by Parley, Parley by bare requests, and large stores by small ones. */
export function printTables({ measurements }: Results): void {
  const distances = [...new Set(measurements.map((it) => it.distanceMs))];
  const names = [...new Set(measurements.map((it) => it.case))];
  const others = [...new Set(measurements.map((it) => it.system))].filter((it) => it !== "parley" && it !== "bare");
  const each = (cell: (name: string, distanceMs: number) => string | undefined) =>
    names.map((name): [string, Cells] => [name, distances.map((distanceMs) => cell(name, distanceMs))]);
  const heads = distances.map((it) => `+${it} ms`);
  for (const other of others) {
    const rows = each((name, distanceMs) => {
      const [ours, theirs] = ["parley", other].map((it) => find(measurements, name, it, distanceMs));
      const found = ours && theirs && lead(ours, theirs);
      return found && showRatio(found);
    });
    print(`Parley by ${other}; above 1 Parley is ahead`, heads, rows);
  }
  const bare = each((name, distanceMs) => {
    const ours = find(measurements, name, "parley", distanceMs);
    const theirs = ours?.bare === undefined ? undefined : find(measurements, ours.bare, "bare", distanceMs);
    const found = ours && theirs && ratio(ours, theirs);
    return found && `${showRatio(found)} ${theirs.case}`;
  });
  print("Times of a bare request", heads, bare);
  printGrowth(measurements.filter(({ items }) => items !== undefined));
  printCounts(measurements.filter(({ items, distanceMs }) => items === undefined && distanceMs === distances[0]));
}

/** Prints a table, without the rows that have no cell. */
function print(title: string, heads: readonly string[], all: readonly (readonly [string, Cells])[]): void {
  const rows = all.filter(([, cells]) => cells.some((it) => it !== undefined));
  if (rows.length === 0) return;
  const width = Math.max(...rows.map(([name]) => name.length)) + 1;
  const cellWidth = Math.max(CELL_WIDTH, ...rows.flatMap(([, cells]) => cells.map((it) => (it?.length ?? 0) + 1)));
  console.log(`\n${title}`);
  for (const [name, cells] of [["", heads] as const, ...rows]) {
    console.log(`${name.padEnd(width)}${cells.map((it) => (it ?? "").padStart(cellWidth)).join("")}`);
  }
}

/** Prints how calls grow with their stores. */
function printGrowth(measurements: readonly Measurement[]): void {
  const sizes = [...new Set(measurements.map(({ items }) => items!))].toSorted((a, b) => a - b);
  const rows = [...Map.groupBy(measurements, (it) => it.case)].map(([name, list]): [string, Cells] => [
    name,
    sizes.slice(1).map((size) => {
      const [small, large] = [sizes[0], size].map((items) => list.find((it) => it.items === items));
      const found = small && large && ratio(large, small);
      return found && showRatio(found);
    }),
  ]);
  print(`Times a store of ${sizes[0]} items`, sizes.slice(1).map((items) => `${items} items`), rows);
}

/** Prints the requests and, over Upstash, the billed commands. */
function printCounts(measurements: readonly Measurement[]): void {
  const counted = measurements.filter(({ requests }) => requests !== undefined);
  const systems = [...new Set(counted.map(({ system }) => system))];
  const rows = [...Map.groupBy(counted, (it) => it.case)].map(([name, list]): [string, Cells] => [
    name,
    systems.map((system) => {
      const found = list.find((it) => it.system === system);
      return found && `${found.requests!.toFixed(2)}${found.commands === undefined ? "" : ` / ${found.commands}`}`;
    }),
  ]);
  print("Requests an operation; over Upstash also the commands that it bills", systems, rows);
}
