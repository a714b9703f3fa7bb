/**
 * `deno task ok`: everything that CI runs. The checks run side by side, one on each core. The tests
 * come last, and only if every check passed.
 *
 * @module
 */

import { deno, LOCK, ROOT } from "./deno.ts";

/** The published files that have to run without Deno and Node: all but `conformance/`. */
const EDGE = ["mod.ts", "core/", "dbos/", "drivers/", "http/", "otel/", "testing/"];

/** Markdown with examples, which `deno check` does not type-check in the way of `deno test`. */
const DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/", "drivers/README.md"];

/** The slowest check comes first. */
const checks: [name: string, args: string[]][] = [
  ["types", ["check", "--quiet", "--doc", LOCK]],
  ["publish dry run", ["publish", "--dry-run", "--allow-dirty", LOCK]],
  ["types with DOM and ESNext alone", ["check", "--quiet", LOCK, "--config", "scripts/edge.json", ...EDGE]],
  ["types of the examples in documents", ["test", "--quiet", "--doc", "--no-run", LOCK, ...DOCUMENTS]],
  ["lint", ["lint"]],
  ["format", ["fmt", "--check"]],
  ["doc lint", ["run", "-A", "scripts/doc_lint.ts"]],
];

/** Runs a check, prints what it has written if it fails, and tells whether it passed. */
async function passes([name, args]: [name: string, args: string[]]): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  console.log(`--- ${name}: ${success ? "passed" : "failed"}`);
  if (!success) console.error([stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n"));
  return success;
}

/** Runs the checks, and returns the names of those that failed. */
async function failing(): Promise<string[]> {
  const left = checks.values();
  const failed: string[] = [];
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
    for (const check of left) if (!await passes(check)) failed.push(check[0]);
  }));
  return failed;
}

const failed = await failing();
if (failed.length > 0) {
  console.error(`\nStopped at: ${failed.join(", ")}`);
  Deno.exit(1);
}
console.log("\n--- tests");
// The checks have seen the types of every test and of every example.
Deno.exit(await deno(["run", "-A", LOCK, "scripts/test.ts", "--no-check"]));
