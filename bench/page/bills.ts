/**
 * The section about what operations cost at Upstash.
 *
 * @module
 */

import type { Measurement, Results } from "../results.ts";
import { markdownTable, type Section } from "./sections.ts";

/** The systems of the table, in this order. */
const SYSTEMS = { parley: "Parley", before: "before", realtime: "`@upstash/realtime`", bare: "bare" } as const;

const TEXT = `What an operation costs at Upstash, in requests and in commands that it bills: each script, and each
command that a script calls. A wake and a live stream also have their share of the start and the end
of the workflow. [The guide](upstash.md) has the exact costs of all operations.`;

/** The section, if the commands have been counted. */
export function billSections(runs: readonly Results[]): Section[] {
  const counted = new Map<string, Map<string, Measurement>>();
  for (const { measurements } of runs) {
    const nearest = Math.min(...measurements.filter(isCounted).map((it) => it.distanceMs));
    for (const measurement of measurements.filter((it) => isCounted(it) && it.distanceMs === nearest)) {
      const { case: name, system } = measurement;
      counted.set(name, (counted.get(name) ?? new Map()).set(system, measurement));
    }
  }
  if (counted.size === 0) return [];
  const systems = Object.entries(SYSTEMS).filter(([system]) => [...counted.values()].some((row) => row.has(system)));
  const lines = [...counted.values()].map((row) => [
    row.values().next().value!.title,
    ...systems.flatMap(([system]) => [show(row.get(system)?.requests), show(row.get(system)?.commands)]),
  ]);
  const figures = systems.flatMap(([, title]) => [`${title}: requests`, "commands"]);
  return [{
    title: "Requests and billed commands at Upstash",
    text: TEXT,
    table: markdownTable(["", ...figures], lines, figures.length),
  }];
}

function isCounted({ commands }: Measurement): boolean {
  return commands !== undefined;
}

function show(count: number | undefined): string {
  return count === undefined ? "" : String(Math.round(count * 10) / 10);
}
