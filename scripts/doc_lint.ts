/**
 * Runs `deno doc --lint` over all entry points, and leaves out its findings about Hono's types. It
 * takes a type for private if no entry point exports it. To export types of a package again would
 * mean to document them.
 *
 * @module
 */

import { entryPoints, LOCK, ROOT } from "./deno.ts";

/** Types that are public in their own package. */
const FOREIGN = /^error\[private-type-ref\]: public type '.+' references private type '(Hono|Context|Handler)'$/;

const args = ["doc", LOCK, "--lint", ...await entryPoints()];
const { code, stderr } = await new Deno.Command(Deno.execPath(), {
  args,
  cwd: ROOT,
  env: { NO_COLOR: "1" },
  stdin: "null",
  stdout: "null",
})
  .output();
// A finding is a block of lines that begins with its error. The last block is the number of
// findings.
const findings = new TextDecoder().decode(stderr).split(/^(?=error)/m).filter((it) => it.startsWith("error["));
const ours = findings.filter((it) => !FOREIGN.test(it.split("\n")[0]!));
for (const finding of ours) console.error(finding);
if (ours.length > 0 || (code !== 0 && findings.length === 0)) Deno.exit(1);
