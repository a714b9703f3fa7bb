/**
 * `deno task ok`: everything that CI runs. It stops at the first failing step and names it.
 *
 * @module
 */

import { deno, LOCK } from "./deno.ts";

/** The published files that have to run without Deno and Node: all but `conformance/`. */
const EDGE = ["mod.ts", "core/", "dbos/", "drivers/", "http/", "otel/", "testing/"];

const steps: [name: string, args: string[]][] = [
  ["format", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["doc lint", ["run", "-A", "scripts/doc_lint.ts"]],
  ["types", ["check", "--quiet", LOCK]],
  ["types with DOM and ESNext alone", ["check", "--quiet", LOCK, "--config", "scripts/edge.json", ...EDGE]],
  ["publish dry run", ["publish", "--dry-run", "--allow-dirty", LOCK]],
  ["tests", ["run", "-A", LOCK, "scripts/test.ts"]],
];

for (const [name, args] of steps) {
  console.log(`\n--- ${name}`);
  if (await deno(args) === 0) continue;
  if (name !== "tests") console.error(`\nStopped at: ${name}`);
  Deno.exit(1);
}
