/**
 * Many writes of one step, in processes of their own.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findProgram } from "../../scripts/install.ts";
import { deno, withDirectory } from "../project/files.ts";
import { bunPath } from "./bun.ts";

/** A runtime that hangs is stopped. */
const PATIENCE_MS = 60_000;

const node = await findProgram(["node"]);
const runtimes = [["Bun", await bunPath()], ...(node === undefined ? [] : [["Node", node]])];

for (const [name, command] of runtimes) {
  Deno.test(`1,000 writes of a step in flight cause no warning of listeners in ${name}`, async () => {
    await withDirectory(async (directory) => {
      const bundle = `${directory}/main.mjs`;
      const options = ["--quiet", "--platform", "browser", "--external", "node:process", "--output", bundle];
      const bundled = await deno("bundle", ...options, "tests/runtimes/many_writes.ts");
      assert.equal(bundled.code, 0, bundled.stderr);
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const child = new Deno.Command(command!, { args: [bundle], stdin: "null", env: { NO_COLOR: "1" }, signal });
      const { code, stdout, stderr } = await child.output();
      assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
      assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), { lengths: Array(4).fill(1_000), warnings: [] });
    });
  });
}
