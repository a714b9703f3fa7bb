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

/** The versions of Node with a SQLite of its own, and the clients in each. better-sqlite3 is built for one version. */
const CLIENTS: Readonly<Record<number, readonly string[]>> = {
  22: ["node:sqlite"],
  24: ["node:sqlite", "better-sqlite3"],
};

/** Bundles the suite into a folder. */
async function bundleSuite(directory: string): Promise<string> {
  const bundle = `${directory}/suite.mjs`;
  const externals = ["node:process", "node:assert/strict"].flatMap((name) => ["--external", name]);
  const args = ["--quiet", "--platform", "browser", ...externals, "--output", bundle];
  const bundled = await deno("bundle", ...args, "tests/drivers/sqlite/support/program.ts");
  assert.equal(bundled.code, 0, bundled.stderr);
  return bundle;
}

/** Rewrites the syntax that Node 22 lacks, such as `using`. */
async function lower(bundle: string, node: string, project: Project): Promise<string> {
  const lowered = bundle.replace(".mjs", "_22.mjs");
  const args = [`${project.path}/node_modules/esbuild/bin/esbuild`, bundle, "--target=node22", `--outfile=${lowered}`];
  const { code, stderr } = await new Deno.Command(node, { args, stdin: "null" }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return lowered;
}

/** Runs the bundled suite over a client. */
async function runSuite(command: string, bundle: string, client: string, directory: string): Promise<void> {
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
  const majors = Object.keys(CLIENTS).map(Number);
  await using project = await Project.make({ ...nodePackages(majors), "better-sqlite3": "13", esbuild: "0.25" });
  const bundle = await lower(await bundleSuite(project.path), nodePath(project, 24), project);
  for (const major of majors) {
    for (const client of CLIENTS[major]!) {
      await t.step(
        `${client} in Node ${major}`,
        () => runSuite(nodePath(project, major), bundle, client, project.path),
      );
    }
  }
});

Deno.test("the conformance suite passes over bun:sqlite", async () => {
  const bun = await bunPath();
  await withDirectory(async (directory) => await runSuite(bun, await bundleSuite(directory), "bun:sqlite", directory));
});
