/**
 * `deno task test`: every test, and every example in the documentation.
 *
 * Arguments are passed on to `deno test`; paths among them take the place of the whole. The last line is `N passed, N failed`, counted from the
 * run's own report. It fails if anything failed, and if nothing ran.
 *
 * @module
 */

import { ROOT } from "./deno.ts";
import { type Counts, countTests } from "./junit.ts";

/** Test files, and whatever has examples in it. */
const EVERYTHING = ["tests/", "mod.ts", "core/", "drivers/", "testing/", "README.md", "CONTRIBUTING.md", "docs/"];

/** What the tests themselves must not leave behind; Deno looks for it only when told to. */
const NO_LEAKS = ["--sanitize-ops", "--sanitize-resources"];

/** How `deno test` reports a file that failed outside its tests, as while it was loaded. The JUnit report leaves it out. */
const UNCAUGHT = /^Uncaught error from .* FAILED$/;

async function run(report: string): Promise<Counts> {
  const paths = Deno.args.some(isPath) ? [] : EVERYTHING.filter(isPath);
  const args = ["test", "-A", "--doc", ...NO_LEAKS, `--junit-path=${report}`, ...Deno.args, ...paths];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null", stdout: "piped", env: { NO_COLOR: "1" } }).spawn();
  const uncaught = await passOn(child.stdout, UNCAUGHT);
  const { success } = await child.status;
  const { passed, failed } = countTests(await Deno.readTextFile(report).catch(() => ""));
  return { passed, failed: Math.max(failed + uncaught, success ? 0 : 1) };
}

/** Prints what comes, and answers with how many of its lines match. */
async function passOn(output: ReadableStream<Uint8Array>, pattern: RegExp): Promise<number> {
  const decoder = new TextDecoder();
  let matches = 0;
  let rest = "";
  for await (const chunk of output) {
    await Deno.stdout.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    matches += lines.filter((line) => pattern.test(line)).length;
  }
  return matches;
}

function isPath(text: string): boolean {
  try {
    return Deno.statSync(new URL(text, ROOT)) !== undefined;
  } catch {
    return false;
  }
}

const directory = await Deno.makeTempDir();
try {
  const { passed, failed } = await run(`${directory}/report.xml`);
  if (passed + failed === 0) console.error("No test ran");
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
