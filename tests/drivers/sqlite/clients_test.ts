/**
 * The driver over the clients of Node and Bun, in these runtimes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findProgram } from "../../../scripts/install.ts";
import { deno, withDirectory } from "../../project/files.ts";
import { bunPath } from "../../runtimes/bun.ts";

/** A runtime that hangs is stopped. */
const PATIENCE_MS = 300_000;

const node = await findProgram(["node"]);
const bun = await bunPath();

/** Bundles the suite, and runs it over a client. */
async function runSuite(command: string, client: string): Promise<void> {
  await withDirectory(async (directory) => {
    const bundle = `${directory}/suite.mjs`;
    const externals = ["node:process", "node:assert/strict"].flatMap((name) => ["--external", name]);
    const args = ["--quiet", "--platform", "browser", ...externals, "--output", bundle];
    const bundled = await deno("bundle", ...args, "tests/drivers/sqlite/support/program.ts");
    assert.equal(bundled.code, 0, bundled.stderr);
    const run = new Deno.Command(command, {
      args: [bundle, client, `${directory}/store.db`],
      cwd: directory,
      stdin: "null",
      env: { NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { code, stdout, stderr } = await run.output();
    const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.match(printed!, /^done: [1-9]\d\d passed, 0 failed\n$/, errors);
    assert.deepEqual([code, errors], [0, ""]);
  });
}

if (node === undefined) console.log("No Node on this machine: its test is left out");
else Deno.test("the conformance suite passes over node:sqlite in Node", () => runSuite(node, "node:sqlite"));

Deno.test("the conformance suite passes over bun:sqlite", () => runSuite(bun, "bun:sqlite"));
