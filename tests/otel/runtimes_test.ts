import assert from "node:assert/strict";
import { findProgram } from "../../scripts/install.ts";
import { deno, withDirectory } from "../project/files.ts";
import { bunPath } from "../runtimes/bun.ts";
import { STORY_TREE } from "./story.ts";

/** With a context manager, the spans of the user's own code are below those of Parley, and the other way round. */
const MANAGED_TREE = [
  "page",
  "  send",
  "  start flow",
  "    run flow",
  "      in the workflow",
  "      recv",
  "      step step",
  "        in the step",
  "    run flow -> send",
  "      after a wait",
  // A replay calls the code again.
  "      in the workflow",
  "      recv -> send",
];

/** A runtime that hangs is stopped. */
const PATIENCE_MS = 60_000;

const node = await findProgram(["node"]);
const runtimes: [name: string, command: string, args: string[]][] = [
  ["Deno", Deno.execPath(), ["run", "--no-lock", "--no-config", "--allow-env"]],
  ["Bun", await bunPath(), []],
  ...(node === undefined ? [] : [["Node", node, []] satisfies [string, string, string[]]]),
];

for (const [name, command, args] of runtimes) {
  Deno.test(`otel() records the same in ${name}, and makes spans active if there is a context manager`, async () => {
    await withDirectory(async (directory) => {
      const bundle = `${directory}/main.mjs`;
      const bundled = await deno("bundle", "--quiet", "--output", bundle, "tests/otel/program.ts");
      assert.equal(bundled.code, 0, bundled.stderr);
      const child = new Deno.Command(command, {
        args: [...args, bundle],
        cwd: directory,
        stdin: "null",
        env: { NO_COLOR: "1" },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const { code, stdout, stderr } = await child.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      const told: { without: string[]; with: string[] } = JSON.parse(new TextDecoder().decode(stdout));
      assert.deepEqual(told.without, STORY_TREE);
      assert.deepEqual(told.with, MANAGED_TREE);
    });
  });
}
