/**
 * The sections about how calls grow with their stores.
 *
 * @module
 */

import { type Measurement, type Ratio, ratio, type Results, showRatio } from "../results.ts";
import { markdownTable, rowOf, type Section } from "./sections.ts";

/** The stores whose growth is measured, by the beginning of their cases' names. */
const STORES = { postgres: "Postgres", upstash: "Upstash" } as const;

/** The section of each store. */
const TEXTS: Readonly<Record<keyof typeof STORES, string>> = {
  postgres: `The time of a call in a large store by that in the smallest one. A store of 1,000,000 items has
as many workflows, each with an entry, an event and a stream. It also has two journals of 1,000,000
entries, an inbox of 1,000,000 received and 100,000 waiting messages, and a stream of 1,000,000
values. Each store has one connection, and no commit waits for the disk, since that would hide a
growth. The last column counts the 8 KiB blocks of tables and indexes that a call reads, in the
smallest and in the largest store. Indexes of larger tables are a level or two deeper.`,
  upstash: `The time of a call in a large store by that in the smallest one. A store of 1,000,000 items has
a queue of 250,000 messages, a stream of 500,000 values, 100,000 due workflows and 100,000 ended
ones. The driver's scripts run on a stock Redis without HTTP, since HTTP would hide a growth.`,
};

/** A call in one store of a run, with the smallest store. */
interface Growth {
  readonly measurement: Measurement;
  readonly smallest: Measurement;
  readonly ratio: Ratio;
}

/** How calls grow, by case and size. If several runs have a case, the last one counts. */
function growths(runs: readonly Results[], store: keyof typeof STORES): Growth[] {
  const found = new Map<string, Growth[]>();
  for (const { measurements } of runs) {
    const ours = measurements.filter((it) => it.case.startsWith(`growth-${store}-`));
    for (const [name, list] of Map.groupBy(ours, (it) => it.case)) {
      const [smallest, ...others] = list.toSorted((a, b) => a.items! - b.items!);
      found.set(
        name,
        others.flatMap((measurement) => {
          const grown = ratio(measurement, smallest!);
          return grown ? [{ measurement, smallest: smallest!, ratio: grown }] : [];
        }),
      );
    }
  }
  return [...found.values()].flat();
}

/** The name of a call. The section names its store. */
function callOf(measurement: Measurement): string {
  return rowOf(measurement).replace(/, \w+$/, "");
}

function itemsOf({ items }: Measurement): string {
  return `${items!.toLocaleString("en")} items`;
}

function tableOf(list: readonly Growth[]): string {
  const sizes = [...new Set(list.map(({ measurement }) => itemsOf(measurement)))];
  const hasBlocks = list.some(({ measurement }) => measurement.blocks !== undefined);
  const lines = [...Map.groupBy(list, ({ measurement }) => measurement.case).values()].map((row) => [
    callOf(row[0]!.measurement),
    ...sizes.map((size) => {
      const cell = row.find(({ measurement }) => itemsOf(measurement) === size);
      return cell ? showRatio(cell.ratio) : "";
    }),
    ...hasBlocks ? [`${row[0]!.smallest.blocks} to ${row.at(-1)!.measurement.blocks}`] : [],
  ]);
  const figures = [...sizes, ...hasBlocks ? ["blocks"] : []];
  return markdownTable(["", ...figures], lines, figures.length);
}

/** The sections, of those stores that have been measured. */
export function growthSections(runs: readonly Results[]): Section[] {
  return (Object.keys(STORES) as (keyof typeof STORES)[]).flatMap((store) => {
    const list = growths(runs, store);
    if (list.length === 0) return [];
    const title = `Growth of the store, ${STORES[store]}`;
    const axis = `Times a store of ${itemsOf(list[0]!.smallest)}, log scale`;
    const points = list.map(({ measurement, ratio }) => ({
      row: callOf(measurement),
      series: itemsOf(measurement),
      ...ratio,
    }));
    const plot = { name: `growth-${store}`, description: `${title}. ${axis}`, axis, points };
    return [{ title, text: TEXTS[store], plot, table: tableOf(list) }];
  });
}

/** From this ratio on, a call counts as one that grows, if it has grown in each round. */
export const MIN_GROWTH = 1.25;

/** The calls that take longer in the largest store, one a line. */
export function growing(runs: readonly Results[]): string[] {
  return (Object.keys(STORES) as (keyof typeof STORES)[]).flatMap((store) => {
    const list = growths(runs, store);
    const largest = Math.max(...list.map(({ measurement }) => measurement.items!));
    return list
      .filter(({ measurement, ratio }) => measurement.items === largest && ratio.median >= MIN_GROWTH && ratio.low > 1)
      .map(({ measurement, ratio }) => `- ${measurement.title}, ${itemsOf(measurement)}: ${showRatio(ratio)}`);
  });
}
