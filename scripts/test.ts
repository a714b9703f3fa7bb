/**
 * `deno task test`: every test, and every example in the documentation.
 *
 * It passes its arguments on to `deno test`. Paths among them replace the default, which is
 * everything. The last line is `N passed, N failed`, counted from the report of the run. It fails
 * if anything failed or nothing ran.
 *
 * Files run side by side. If a few of many tests fail, they run a second time, alone, and the second
 * result counts: hundreds of tests measure time, and a machine that is busy with other files can
 * stop one of them for longer than the test allows. What passed only then is named before the last
 * line.
 *
 * @module
 */

import { LOCK, ROOT } from "./deno.ts";
import { type Counts, countTests, withoutLines } from "./junit.ts";
import { HAS_OLDEST, startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";

/** Test files, and files with examples. */
const EVERYTHING = [
  "tests/",
  "mod.ts",
  "cli/",
  "core/",
  "dbos/",
  "drivers/",
  "http/",
  "otel/",
  "conformance/",
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

/** The line with which `deno test` reports a failed test when several files run side by side. */
const FAILED = /^(\S+) => (.*) \.\.\. FAILED \(/;

/** If more tests fail than this, something is broken, and a second run says no more. */
const TESTS_AGAIN = 5;

async function run(directory: string): Promise<Counts> {
  const given = Deno.args.filter(isPath);
  const options = Deno.args.filter((arg) => !isPath(arg));
  const everything = given.length === 0;
  await using servers = new AsyncDisposableStack();
  const env = everything ? await startServers(servers).catch(notStarted) : {};
  const jobs = Deno.env.get("DENO_JOBS") ?? `${Math.ceil(navigator.hardwareConcurrency * FILES_PER_CORE)}`;
  const paths = everything ? EVERYTHING.filter(isPath) : given;
  const first = await denoTest([...options, ...paths], { ...env, DENO_JOBS: jobs }, `${directory}/first.xml`);
  const again = first.failed.filter(({ file }) => file !== "");
  const few = again.length === first.failed.length && again.length <= TESTS_AGAIN && again.length < first.passed;
  if (again.length === 0 || !few || options.some((option) => option.startsWith("--filter"))) return first;

  const names = again.map(({ name }) => RegExp.escape(name));
  const files = new Set(again.map(({ file }) => file));
  console.log(`\nRunning again, alone: ${again.map(({ name }) => name).join("; ")}\n`);
  const selection = [...options, `--filter=/^(${names.join("|")})$/`, ...files];
  const second = await denoTest(selection, { ...env, DENO_JOBS: "1" }, `${directory}/second.xml`);
  if (second.passed + second.failed.length < again.length) return first;
  for (const { file, name } of again) {
    const failed = second.failed.some((test) => test.file === file && test.name === name);
    if (!failed) console.log(`passed only when it ran alone: ${file} => ${name}`);
  }
  return { passed: first.passed + second.passed, failed: second.failed };
}

/** Runs `deno test`. A failure that belongs to no test counts as one without a name. */
async function denoTest(given: readonly string[], env: Record<string, string>, report: string): Promise<Counts> {
  const args = [
    "test",
    "-A",
    LOCK,
    "--doc",
    "--parallel",
    ABORT,
    ...NO_LEAKS,
    `--junit-path=${report}`,
    ...given,
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    env: { ...env, NO_COLOR: "1" },
  }).spawn();
  // The tests end first, then the servers that run for them.
  const stop = (signal: "SIGINT" | "SIGTERM") => () => child.kill(signal);
  const stops = (["SIGINT", "SIGTERM"] as const).map((signal) => [signal, stop(signal)] as const);
  for (const [signal, listener] of stops) Deno.addSignalListener(signal, listener);
  let uncaught = 0;
  // The report has the file that registered a test, which may be a helper of several test files.
  const filesOf = new Map<string, string>();
  await passOn(child.stdout, (line) => {
    if (UNCAUGHT.test(line)) uncaught++;
    const [, file, name] = FAILED.exec(line) ?? [];
    if (file !== undefined) filesOf.set(name!, withoutLines(file));
  });
  const { success } = await child.status;
  for (const [signal, listener] of stops) Deno.removeSignalListener(signal, listener);
  const { passed, failed } = countTests(await Deno.readTextFile(report).catch(() => ""));
  const unnamed = Math.max(uncaught, success || failed.length > 0 ? 0 : 1);
  const named = failed.map(({ file, name }) => ({ file: filesOf.get(name) ?? file, name }));
  return { passed, failed: [...named, ...Array.from({ length: unnamed }, () => ({ file: "", name: "" }))] };
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

/** Prints the stream, and hands each of its lines over. */
async function passOn(output: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of output) {
    await Deno.stdout.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  }
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
  const { passed, failed } = await run(directory);
  if (passed + failed.length === 0) console.error("No test ran");
  console.log(`${passed} passed, ${failed.length} failed`);
  Deno.exitCode = failed.length === 0 && passed > 0 ? 0 : 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}
