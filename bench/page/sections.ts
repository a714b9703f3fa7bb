/**
 * What the page shows of the results: its plots and tables.
 *
 * @module
 */

import type { Group } from "../case.ts";
import { find, lead, type Measurement, type Ratio, ratio, type Results, showRatio } from "../results.ts";
import type { Plot } from "./plots.ts";

/** A comparison of two systems, or of Parley and bare requests. */
export interface Comparison {
  readonly measurement: Measurement;
  readonly ratio: Ratio;
  /** The name of the bare case, if it is one. */
  readonly bare?: string;
  /** How many times the time of the bare request DBOS takes. Parley cannot be ahead of DBOS by more. */
  readonly dbos?: Ratio;
}

/** A section of the page. */
export interface Section {
  readonly title: string;
  readonly text: string;
  readonly plot?: Plot;
  readonly table: string;
}

/**
 * Compares measurements of Parley within each run, because times of two runs cannot be compared. If several runs have
 * a case at a distance, the last one counts. The nearest come first.
 */
function compareEach(
  runs: readonly Results[],
  groups: readonly Group[],
  compare: (measurement: Measurement, run: Results) => Omit<Comparison, "measurement"> | undefined,
): Comparison[] {
  const found = new Map<string, Comparison>();
  for (const run of runs) {
    for (const measurement of run.measurements) {
      if (measurement.system !== "parley" || !groups.includes(measurement.group)) continue;
      const comparison = compare(measurement, run);
      if (comparison) found.set(`${measurement.case} ${measurement.distanceMs}`, { measurement, ...comparison });
    }
  }
  return [...found.values()].sort((a, b) => a.measurement.distanceMs - b.measurement.distanceMs);
}

/** How many times Parley is ahead of another system, by case and distance. */
export function comparisons(runs: readonly Results[], other: string, groups: readonly Group[]): Comparison[] {
  return compareEach(runs, groups, (measurement, { measurements }) => {
    const theirs = find(measurements, measurement.case, other, measurement.distanceMs);
    const found = theirs && lead(measurement, theirs);
    return found && { ratio: found };
  });
}

/** How many times the time of a bare request Parley takes, by case and distance. */
export function bareComparisons(runs: readonly Results[], groups: readonly Group[]): Comparison[] {
  return compareEach(runs, groups, (measurement, { measurements }) => {
    if (measurement.bare === undefined) return undefined;
    const bare = find(measurements, measurement.bare, "bare", measurement.distanceMs);
    const found = bare && ratio(measurement, bare);
    const theirs = find(measurements, measurement.case, "dbos", measurement.distanceMs);
    const dbos = bare && theirs && ratio(theirs, bare);
    return found && { ratio: found, bare: bare.title, ...dbos && { dbos } };
  });
}

/** The cases in which Parley is behind another system: the median is below 1. */
export function behind(list: readonly Comparison[]): Comparison[] {
  return list.filter(({ ratio }) => ratio.median < 1);
}

/** Makes a section of comparisons. Returns nothing if there are none. */
export function toSection(
  { name, title, text, axis }: { name: string; title: string; text: string; axis: string },
  list: readonly Comparison[],
): Section[] {
  if (list.length === 0) return [];
  const points = list.map(({ measurement, ratio }) => ({
    row: rowOf(measurement),
    series: distanceOf(measurement),
    ...ratio,
  }));
  return [{ title, text, plot: { name, description: `${title}. ${axis}`, axis, points }, table: tableOf(list) }];
}

/** A measurement as the name of a plot's row. */
export function rowOf({ title }: Measurement): string {
  return title.replaceAll("`", "");
}

/** The distance of a measurement for readers. */
export function distanceOf({ distanceMs }: Measurement): string {
  return `+${distanceMs} ms`;
}

function tableOf(list: readonly Comparison[]): string {
  const distances = [...new Set(list.map(({ measurement }) => distanceOf(measurement)))];
  const hasBare = list.some(({ bare }) => bare !== undefined);
  const hasDbos = list.some(({ dbos }) => dbos !== undefined);
  const rows = Map.groupBy(list, ({ measurement }) => measurement.case);
  const lines = [...rows.values()].map((row) => [
    row[0]!.measurement.title,
    ...hasBare ? [row[0]!.bare ?? ""] : [],
    ...distances.flatMap((distance) => {
      const cell = row.find(({ measurement }) => distanceOf(measurement) === distance);
      return [cell?.ratio, ...hasDbos ? [cell?.dbos] : []].map((ratio) => ratio ? showRatio(ratio) : "");
    }),
  ]);
  const heads = distances.flatMap((distance) => [distance, ...hasDbos ? [`DBOS, ${distance}`] : []]);
  return markdownTable(["", ...hasBare ? ["by"] : [], ...heads], lines, heads.length);
}

/** A table whose last `figures` columns are aligned to the right. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[], figures: number): string {
  const align = head.map((_, column) => column < head.length - figures ? "---" : "---:");
  return [head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
