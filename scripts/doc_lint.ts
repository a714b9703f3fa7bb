/**
 * `deno doc --lint` over all entry points, but for what it says of Hono's types: it takes each type that no entry point exports for private, and
 * to export those of a package again would mean to document them.
 *
 * @module
 */

import { entryPoints, ROOT } from "./deno.ts";

/** Types that are public where they come from. */
const FOREIGN = /^error\[private-type-ref\]: public type '.+' references private type '(Hono|Context|Handler)'$/;

const args = ["doc", "--lint", ...await entryPoints()];
const { code, stderr } = await new Deno.Command(Deno.execPath(), {
  args,
  cwd: ROOT,
  env: { NO_COLOR: "1" },
  stdin: "null",
  stdout: "null",
})
  .output();
// A finding is a block of lines that begins with its error; the last of all is their number.
const findings = new TextDecoder().decode(stderr).split(/^(?=error)/m).filter((it) => it.startsWith("error["));
const ours = findings.filter((it) => !FOREIGN.test(it.split("\n")[0]!));
for (const finding of ours) console.error(finding);
if (ours.length > 0 || (code !== 0 && findings.length === 0)) Deno.exit(1);
