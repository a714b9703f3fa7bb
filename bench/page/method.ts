/**
 * The end of the page: how the figures were measured, and how to measure them again.
 *
 * @module
 */

import type { Results } from "../results.ts";
import type { ResultsFile } from "./results_files.ts";
import { markdownTable } from "./sections.ts";

/** What was measured when, where, and with which versions. */
function runsTable(files: readonly ResultsFile[]): string {
  const rows: [string, (results: Results) => string][] = [
    ["measured on", ({ date }) => date],
    ["cases", ({ measurements }) => [...new Set(measurements.map(({ group }) => group))].join(", ")],
    ["rounds", ({ options }) => `${options.rounds}`],
    [
      "machine",
      ({ machine: { os, cores, processor, memoryGiB } }) =>
        `${os}, ${cores} cores (${processor}), ${memoryGiB} GiB of memory`,
    ],
    ["runtime", ({ options }) => options.runtime === "deno" ? "Deno" : "Node"],
    ["note", ({ note = "" }) => note],
  ];
  const software = new Set(files.flatMap(({ results }) => Object.keys(results.versions)));
  const versions = [...software].map((name) => [name, ...files.map(({ results }) => results.versions[name] ?? "")]);
  const lines = rows.map(([name, show]) => [name, ...files.map(({ results }) => show(results))]);
  return markdownTable(
    ["", ...files.map(({ name }) => name)],
    [...lines, ...versions].filter(([, ...cells]) => cells.some((cell) => cell !== "")),
    0,
  );
}

/** How the figures were measured. */
export function methodText(files: readonly ResultsFile[]): string {
  const { poolSize } = files[0]!.results.options;
  return `## Method

${runsTable(files)}

- Figures of two runs are never compared. If several runs have a case, the last one is shown.
- PostgreSQL runs on the same machine with its default settings, so each commit waits for the disk.
  Each system has a database of its own.
- Each process of a system has a pool of ${poolSize} connections of node-postgres.
- Parley and DBOS run in the same runtime: Node, because DBOS and most users of node-postgres run
  there. Both run the same workflows through a thin adapter.
- In each round the systems take turns, and each round begins with another system. A round has one
  figure for each system: the median of its operations, or its workflows a second. A ratio divides
  two figures of one round. There is one more round to warm up. Cases that take long have 3 rounds
  and none to warm up.
- Distance: a TCP relay adds milliseconds to each round trip, half on the way there and half on the
  way back. At +0 ms there is no relay.
- At a distance, the cases with 1,000 or 10,000 values have 200.
- Upstash is a local server with its REST API, over Redis. It runs scripts and counts what they call,
  as Upstash bills it.
- Wakes and live streams count from the call of the sender to the return of the receiver. The next
  message comes when the receiver waits again.
- A take-over counts from the call that takes the workflow over to its result. DBOS has a queue for
  that, which it polls each second. For DBOS it counts from the first line of the workflow's code.`;
}

/** How to measure again. */
export const HOW_TO_RUN = `## Run it

\`\`\`sh
deno task bench                                     # everything; about two hours
deno task bench step send --rounds 5 --distance 0,20    # some of it
deno task bench growth --scale 100000               # how calls grow, up to 100,000 items
deno task bench --compare v0.1.0                    # beside another revision of Parley, too
deno task bench --json docs/benchmarks/results.json && deno task bench:page   # and this page
deno task bench upstash --json docs/benchmarks/upstash.json && deno task bench:page   # a part of it again
\`\`\`

It needs Node with npm, and starts its own PostgreSQL and Redis. \`deno task bench --list\` names the
cases, and \`bench/results.ts\` documents the JSON. The page is made from all JSON files in
\`docs/benchmarks/\`.
`;
