import assert from "node:assert/strict";
import { readResultsFiles } from "../../bench/page/results_files.ts";
import { pageOf } from "../../bench/page/text.ts";
import type { Measurement, Results } from "../../bench/results.ts";
import { LOCK } from "../../scripts/deno.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { read, ROOT, withDirectory } from "../project/files.ts";

const SERVERS = { DATABASE_URL: await postgresUrl(), REDIS_URL: await redisUrl() };

/** Installing DBOS and `@upstash/realtime` takes a while, so CI leaves them out. */
const WITH_OTHERS = Deno.env.get("PARLEY_BENCH_OTHERS") === "1";

/** Runs the benchmark, and returns what it prints. A failure shows everything that it has written. */
async function bench(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", LOCK, "-A", "bench/main.ts", ...args],
    cwd: ROOT,
    stdin: "null",
    env: { ...SERVERS, NO_COLOR: "1" },
  });
  const { code, signal, ...written } = await command.output();
  const [stdout, stderr] = [written.stdout, written.stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `bench ${args.join(" ")} ended with ${code} ${signal ?? ""}:\n${stderr}\n${stdout}`);
  return { stdout: stdout!, stderr: stderr! };
}

/** The cases of `--list`. */
async function listed(): Promise<string[]> {
  const { stdout } = await bench("--list");
  return stdout.trim().split("\n").flatMap((line) => line.split(": ")[1]!.split(" "));
}

/** Runs cases once, and checks the results. If the check fails, the error shows what the benchmark has written. */
async function smokeRun(
  distance: number,
  cases: readonly string[],
  check: (results: Results) => void,
): Promise<void> {
  await withDirectory(async (directory) => {
    const json = `${directory}/results.json`;
    const runtime = WITH_OTHERS ? "node" : "deno";
    const options = ["--smoke", "--runtime", runtime, "--distance", `${distance}`, "--json", json];
    const { stdout, stderr } = await bench(...cases, ...options);
    try {
      check(JSON.parse(await Deno.readTextFile(json)));
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${stderr}\n${stdout}`, { cause: error });
    }
  });
}

/** The fewest requests that an operation can need. Commits of several runs share a request. */
function leastRequests({ case: name }: Measurement): number {
  return /-10+$|^processes-/.test(name) ? 0.01 : 1;
}

function checkMeasurement(it: Measurement): void {
  const shown = JSON.stringify(it);
  // So few workflows may add nothing to the heap, or less.
  assert(it.rounds.length === 1 && (it.rounds[0]! > 0 || it.unit === "bytes"), shown);
  assert(it.operations > 0 && (it.requests ?? 1) >= leastRequests(it), shown);
  // Upstash bills no `PING`.
  if (it.group === "upstash") assert(it.commands! >= (it.case === "upstash-ping" ? 0 : 1), shown);
  if (it.case.startsWith("growth-postgres-")) assert(it.blocks! >= 0, shown);
}

Deno.test("the benchmark runs every case, and counts what each does", async () => {
  const cases = await listed();
  await smokeRun(0, [], ({ measurements, versions, machine }) => {
    assert.deepEqual(new Set(measurements.map((it) => it.case)), new Set(cases));
    const systems = new Set(measurements.map(({ system }) => system));
    assert.deepEqual(systems, new Set(["parley", "bare", ...WITH_OTHERS ? ["dbos", "realtime"] : []]));
    measurements.forEach(checkMeasurement);
    const growth = Map.groupBy(measurements.filter(({ group }) => group === "growth"), (it) => it.case);
    assert(growth.size > 50, `${growth.size} calls`);
    for (const [name, list] of growth) assert.deepEqual(list.map(({ items }) => items), [10, 100], name);
    assert.equal(Object.keys(versions).includes("parley"), true);
    assert(machine.cores > 0);
  });
});

Deno.test("the benchmark runs a case at a distance, over each store", async () => {
  await smokeRun(2, ["step", "upstash-step"], ({ measurements }) => {
    const parley = measurements.filter(({ system }) => system === "parley");
    assert.deepEqual(parley.map((it) => [it.case, it.distanceMs]), [["step", 2], ["upstash-step", 2]]);
    // Each step is a request, which takes 2 ms longer.
    for (const { rounds } of parley) assert(rounds[0]! >= 2, `${rounds}`);
  });
});

Deno.test("the benchmark's page is that of its results", () => {
  const files = readResultsFiles();
  const words = (text: string) => text.replaceAll(/[\s|-]+/g, " ");
  assert.equal(words(read("docs/benchmarks.md")), words(pageOf(files)), "run `deno task bench:page`");
  const measurements = files.flatMap(({ results }) => results.measurements);
  const unfinished = measurements.filter((it) => it.rounds.every((figure) => figure === null));
  assert.deepEqual(unfinished, []);
});
