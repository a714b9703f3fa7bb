/**
 * Promises of a workflow that nobody handles, in processes of their own.
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
const runtimes: [name: string, command: string, args: string[]][] = [
  ["Deno", Deno.execPath(), ["run", "--no-lock", "--no-config"]],
  ["Bun", await bunPath(), []],
  ...(node === undefined ? [] : [["Node", node, []] satisfies [string, string, string[]]]),
];

for (const [name, command, args] of runtimes) {
  Deno.test(`a cancelled, lost or returned workflow, and a step whose time is up, leave no unhandled rejection in ${name}, and others stay unhandled`, async () => {
    await withDirectory(async (directory) => {
      const bundle = `${directory}/main.mjs`;
      const options = ["--quiet", "--platform", "browser", "--external", "node:process", "--output", bundle];
      const bundled = await deno("bundle", ...options, "tests/runtimes/rejections.ts");
      assert.equal(bundled.code, 0, bundled.stderr);
      const run = async (kind: string) => {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const child = new Deno.Command(command, {
          args: [...args, bundle, kind],
          cwd: directory,
          stdin: "null",
          env: { NO_COLOR: "1" },
          signal,
        });
        const { code, stdout, stderr } = await child.output();
        return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
      };
      const own = await run("own");
      assert.deepEqual(own, { code: 0, stdout: "alive, cleaned up: cancel lose\n", stderr: "" });
      const foreign = await run("foreign");
      // Bun prints the error and goes on.
      if (name !== "Bun") assert.deepEqual([foreign.code, foreign.stdout], [1, ""]);
      assert.match(foreign.stderr, /of the user's own/);
    });
  });
}
