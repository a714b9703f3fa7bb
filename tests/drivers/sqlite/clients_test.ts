/**
 * The driver over the clients of Node and Bun, in these runtimes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nodePackages, nodePath, Project } from "../../npm/project.ts";
import { deno, withDirectory } from "../../project/files.ts";
import { bunPath } from "../../runtimes/bun.ts";

/** A runtime that hangs is stopped. */
const PATIENCE_MS = 300_000;

/** A version of Node with a SQLite of its own, and with the syntax of the suite. */
const MAJORS = [24];

/** Bundles the suite into a folder, and runs it over a client. */
async function runSuite(command: string, client: string, directory: string): Promise<void> {
  const bundle = `${directory}/suite.mjs`;
  const externals = ["node:process", "node:assert/strict"].flatMap((name) => ["--external", name]);
  const args = ["--quiet", "--platform", "browser", ...externals, "--output", bundle];
  const bundled = await deno("bundle", ...args, "tests/drivers/sqlite/support/program.ts");
  assert.equal(bundled.code, 0, bundled.stderr);
  const run = new Deno.Command(command, {
    args: [bundle, client, `${directory}/${crypto.randomUUID()}.db`],
    cwd: directory,
    stdin: "null",
    env: { NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const { code, stdout, stderr } = await run.output();
  const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.match(printed!, /^done: [1-9]\d\d passed, 0 failed\n$/, `${errors}`);
  assert.deepEqual([code, errors], [0, ""]);
}

Deno.test("the conformance suite passes over node:sqlite and better-sqlite3 in Node", async (t) => {
  await using project = await Project.make({ ...nodePackages(MAJORS), "better-sqlite3": "13" });
  for (const major of MAJORS) {
    for (const client of ["node:sqlite", "better-sqlite3"]) {
      await t.step(`${client} in Node ${major}`, () => runSuite(nodePath(project, major), client, project.path));
    }
  }
});

Deno.test("the conformance suite passes over bun:sqlite", async () => {
  const bun = await bunPath();
  await withDirectory((directory) => runSuite(bun, "bun:sqlite", directory));
});
