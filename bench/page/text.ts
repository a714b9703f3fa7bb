/**
 * The text of `docs/benchmarks.md`.
 *
 * @module
 */

import { type Results, showRatio } from "../results.ts";
import { billSections } from "./bills.ts";
import { growing, growthSections, MIN_GROWTH } from "./growth.ts";
import { HOW_TO_RUN, methodText } from "./method.ts";
import type { ResultsFile } from "./results_files.ts";
import {
  bareComparisons,
  behind,
  type Comparison,
  comparisons,
  distanceOf,
  type Section,
  toSection,
} from "./sections.ts";

const LEAD = "Ratio, log scale; right of 1 Parley is ahead";

/** The sections of the page. */
export function sectionsOf(runs: readonly Results[]): Section[] {
  return [
    ...besideDbos(runs),
    ...besideBare(runs),
    ...toSection(
      {
        name: "realtime",
        title: "Live streams beside @upstash/realtime",
        text: "The time of `@upstash/realtime` by that of Parley, over the same local Upstash.",
        axis: LEAD,
      },
      comparisons(runs, "realtime", ["upstash"]),
    ),
    ...billSections(runs),
    ...growthSections(runs),
    ...toSection(
      {
        name: "before",
        title: "Beside an earlier state",
        text: `The state ${earlierStates(runs)} by the current one.`,
        axis: "Ratio, log scale; right of 1 the current state is ahead",
      },
      comparisons(runs, "before", ["operations", "processes", "throughput", "footprint", "upstash"]),
    ),
  ];
}

function besideDbos(runs: readonly Results[]): Section[] {
  return [
    ...toSection(
      {
        name: "operations",
        title: "Operations beside DBOS",
        text: "The time of DBOS by that of Parley. Each operation waits for the one before.",
        axis: LEAD,
      },
      comparisons(runs, "dbos", ["operations", "processes"]),
    ),
    ...toSection(
      {
        name: "throughput",
        title: "Workflows a second beside DBOS",
        text:
          "The workflows a second of Parley by those of DBOS, in closed loops: when a workflow ends, the next starts.",
        axis: LEAD,
      },
      comparisons(runs, "dbos", ["throughput"]),
    ),
    ...toSection(
      {
        name: "footprint",
        title: "Cold start and memory beside DBOS",
        text: "The time, or the heap, of DBOS by that of Parley. A suspended workflow of Parley needs no memory.",
        axis: LEAD,
      },
      comparisons(runs, "dbos", ["footprint"]),
    ),
  ];
}

const STARTS = `The time of Parley by that of a program that does nothing: a process of Node whose first request is
\`select 1\`, or a Worker that answers at once. In workerd, the runtime of Cloudflare Workers, each
request gets a fresh isolate of a running process. It loads the bundle of the HTTP adapter with the
Upstash driver, as wrangler uploads it, and answers its first \`send\`. Parley is behind by what it
loads. DBOS does not run there.`;

function besideBare(runs: readonly Results[]): Section[] {
  const axis = "Times a bare request, log scale";
  return [
    ...toSection(
      {
        name: "bare",
        title: "Beside bare requests",
        text: "The time of Parley by that of a bare statement or command, which no durable operation can beat. " +
          "The time of DBOS by that of the same is the most by which Parley can be ahead of DBOS.",
        axis,
      },
      bareComparisons(runs, ["operations", "processes", "throughput", "upstash"]),
    ),
    ...toSection(
      {
        name: "pglite",
        title: "Beside bare statements in PGlite",
        text: "PGlite is a PostgreSQL in the process of the application, so that a statement needs no connection.",
        axis,
      },
      bareComparisons(runs, ["pglite"]),
    ),
    ...toSection(
      {
        name: "starts",
        title: "Cold starts beside programs that do nothing",
        text: STARTS,
        axis: "Times a program that does nothing, log scale",
      },
      bareComparisons(runs, ["footprint"]),
    ),
  ];
}

function earlierStates(runs: readonly Results[]): string {
  return [...new Set(runs.flatMap(({ versions }) => versions.before ?? []))].map((it) => `\`${it}\``).join(" or ");
}

/** The page. */
export function pageOf(files: readonly ResultsFile[]): string {
  const runs = files.map(({ results }) => results);
  return [
    introduction(files),
    behindText(runs),
    ...sectionsOf(runs).map(sectionText),
    methodText(files),
    HOW_TO_RUN,
  ].join("\n\n");
}

function introduction(files: readonly ResultsFile[]): string {
  const links = files.map(({ name }) => `[${name}](benchmarks/${name})`).join(", ");
  return `# Benchmarks

<!-- \`deno task bench:page\` writes this page from the results in docs/benchmarks/. -->

What Parley's operations cost, as ratios of systems that took turns on one machine. A ratio is the
median over the rounds, with the smallest and the largest in brackets. Times in milliseconds say more
about a machine than about a library, so they are only in the results: ${links}.`;
}

function behindText(runs: readonly Results[]): string {
  const list = behind([
    ...comparisons(runs, "dbos", ["operations", "processes", "throughput", "footprint"]),
    ...comparisons(runs, "realtime", ["upstash"]),
  ]);
  const line = ({ measurement, ratio }: Comparison) =>
    `- ${measurement.title}, ${distanceOf(measurement)}: ${showRatio(ratio)}`;
  const text = list.length === 0
    ? "In no case is the median below 1: Parley is as fast as the others, or ahead."
    : `In these cases the median is below 1, so the other system is ahead:\n\n${list.map(line).join("\n")}`;
  const grown = growing(runs);
  return `## Where Parley is behind\n\n${text}${
    grown.length === 0
      ? ""
      : `\n\nThese calls take at least ${MIN_GROWTH} times as long in the largest store as in the smallest one, and longer in each round:\n\n${
        grown.join("\n")
      }`
  }`;
}

function sectionText({ title, text, plot, table }: Section): string {
  const picture = (name: string, alt: string) =>
    `<picture>
  <source media="(prefers-color-scheme: dark)" srcset="benchmarks/${name}-dark.svg">
  <img alt="${alt}" src="benchmarks/${name}-light.svg">
</picture>`;
  return [`## ${title}`, text, ...plot ? [picture(plot.name, plot.description)] : [], table].join("\n\n");
}
