/**
 * `deno task test`: every test, and every example in the documentation.
 *
 * It passes its arguments on to `deno test`. Paths among them replace the default, which is
 * everything. The last line is `N passed, N failed`, counted from the report of the run. It fails
 * if anything failed or nothing ran.
 *
 * @module
 */

import { ROOT } from "./deno.ts";
import { type Counts, countTests } from "./junit.ts";
import { HAS_OLDEST, startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";

/** Test files, and files with examples. */
const EVERYTHING = [
  "tests/",
  "mod.ts",
  "core/",
  "drivers/",
  "http/",
  "testing/",
  "README.md",
  "CONTRIBUTING.md",
  "docs/",
];

/**
 * Checks that no test leaves operations or resources behind. Deno checks this only with these
 * flags.
 */
const NO_LEAKS = ["--sanitize-ops", "--sanitize-resources"];

/**
 * The local Neon has to notice when a client goes away. Deno's older way to tell it prints a
 * warning.
 */
const ABORT = "--unstable-no-legacy-abort";

/**
 * Files that run side by side on each core. Many tests wait for a server or a clock, which leaves
 * the core to another file.
 */
const FILES_PER_CORE = 1.5;

/**
 * The line with which `deno test` reports a file that failed outside its tests, for example while
 * it was loaded. The JUnit report leaves it out.
 */
const UNCAUGHT = /^Uncaught error from .* FAILED$/;

async function run(report: string): Promise<Counts> {
  const everything = !Deno.args.some(isPath);
  const paths = everything ? EVERYTHING.filter(isPath) : [];
  await using servers = new AsyncDisposableStack();
  const env = everything ? await startServers(servers).catch(notStarted) : {};
  const args = [
    "test",
    "-A",
    "--doc",
    "--parallel",
    ABORT,
    ...NO_LEAKS,
    `--junit-path=${report}`,
    ...Deno.args,
    ...paths,
  ];
  const jobs = Deno.env.get("DENO_JOBS") ?? `${Math.ceil(navigator.hardwareConcurrency * FILES_PER_CORE)}`;
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    env: { ...env, NO_COLOR: "1", DENO_JOBS: jobs },
  }).spawn();
  // The tests end first, then the servers that run for them.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => child.kill(signal));
  const uncaught = await passOn(child.stdout, UNCAUGHT);
  const { success } = await child.status;
  const { passed, failed } = countTests(await Deno.readTextFile(report).catch(() => ""));
  return { passed, failed: Math.max(failed + uncaught, success ? 0 : 1) };
}

/**
 * One server of each version for all files; see `tests/drivers/postgres/support/server.ts` and
 * `tests/drivers/upstash/support/redis_server.ts`, which start a server that is not given.
 */
async function startServers(servers: AsyncDisposableStack): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  if (!Deno.env.get("DATABASE_URL")) env.PARLEY_TEST_POSTGRES = servers.use(await startPostgres()).url;
  if (HAS_OLDEST) env.PARLEY_TEST_POSTGRES_OLDEST = servers.use(await startPostgres({ version: "oldest" })).url;
  if (!Deno.env.get("REDIS_URL")) {
    Object.assign(env, await startRedis().then((redis) => ({ PARLEY_TEST_REDIS: servers.use(redis).url }), notStarted));
  }
  return env;
}

/**
 * The other tests need no server. Each file that needs one tries to start it, and fails if that
 * fails.
 */
function notStarted(error: unknown): Record<string, string> {
  console.error("The servers for the tests do not start:", error);
  return {};
}

/** Prints the stream, and returns how many of its lines match. */
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
