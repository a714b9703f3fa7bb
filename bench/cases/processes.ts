/**
 * What several processes do together, or one process with many workflows at once.
 *
 * @module
 */

import { type BenchCase, median, type Sample, type Site, type Size } from "../case.ts";
import type { WorkerProcess } from "../setup/worker_process.ts";

/** How many messages or values a round has without distance. */
const COUNT = 20;

/** The longest pause between two of them. The shortest is half of it. */
const PAUSE_MS = 60;

/** The steps of a workflow that is taken over. */
const STEPS = 1_000;

/** How many workflows each of several processes runs at once. */
const EACH_AT_ONCE = 10;

/** The time from each beginning to its end. Fails if one is missing. */
function latencies(begun: readonly number[], ended: readonly number[], count: number): Sample {
  if (begun.length !== count || ended.length !== count) {
    throw new Error(`${begun.length} begun, ${ended.length} ended, of ${count}`);
  }
  return { figure: median(ended.map((end, index) => end - begun[index]!)), operations: count };
}

/**
 * Messages from a process to a workflow that waits for them, in another process or in the same. The
 * next message is sent when the workflow waits again.
 */
async function measureWake(site: Site, size: Size, sender: number): Promise<Sample> {
  const id = crypto.randomUUID();
  const count = size.count(COUNT, site.distanceMs);
  const pauseMs = PAUSE_MS + 10 * site.distanceMs;
  const [here, there] = [await site.process(0), await site.process(sender)];
  await here.call(site.kind === "bare" ? "listen" : "startReceiver", { id, count });
  const sent: number[] = [];
  for (let number = 1; number <= count; number++) {
    const { value } = await there.call<number>("sendLater", { id, pauseMs });
    sent.push(value);
    await here.call("received", { id, count: number });
  }
  const { value: received } = await here.call<number[]>("times", { id });
  return latencies(sent, received, count);
}

async function measureLiveStream(site: Site, size: Size): Promise<Sample> {
  const args = { id: crypto.randomUUID(), count: size.count(COUNT, site.distanceMs), pauseMs: PAUSE_MS };
  const [writer, reader] = [await site.process(0), await site.process(1)];
  await writer.call("startWriter", args);
  const reading = reader.call<number[]>("readEach", args);
  await writer.call("open", args);
  const { value: written } = await writer.call<number[]>("times", args);
  return latencies(written, (await reading).value, args.count);
}

/**
 * Parley is measured from the call, DBOS from the first line of the workflow's code, in whichever
 * process its queue runs it.
 */
async function measureTakeOver(site: Site, size: Size): Promise<Sample> {
  const args = { id: crypto.randomUUID(), count: size.large(STEPS, site.distanceMs) };
  const [first, second] = [await site.process(0), await site.process(1)];
  await first.call("leave", args);
  const { value: { begin, end }, requests } = await second.call<{ begin: number; end: number }>("takeOver", args);
  const [before, after] = [await first.call<number[]>("begun", args), await second.call<number[]>("begun", args)];
  if (before.value.length + after.value.length !== 2) throw new Error("The workflow was not taken over once");
  const from = site.kind === "dbos" ? Math.max(...before.value, ...after.value) : begin;
  return { figure: end - from, operations: args.count, requests };
}

/** Workflows in closed loops: as soon as one has ended, the next starts. */
async function measureLoops(
  workers: readonly WorkerProcess[],
  program: string,
  together: number,
  forMs: number,
): Promise<Sample> {
  const answers = await Promise.all(
    workers.map((worker) => worker.call<{ ended: number; ms: number }>("loop", { program, together, forMs })),
  );
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const operations = sum(answers.map(({ value }) => value.ended));
  return {
    figure: sum(answers.map(({ value: { ended, ms } }) => 1_000 * ended / ms)),
    operations,
    requests: sum(answers.map(({ requests }) => requests)) / operations,
  };
}

const PROGRAMS = [{ program: "empty", word: "empty" }, { program: "ten", word: "of ten steps" }] as const;

const loops: readonly BenchCase[] = PROGRAMS.flatMap(({ program, word }) =>
  [1, 10, 100].map((together): BenchCase => ({
    name: `${program}-${together}`,
    group: "throughput",
    title: `workflows a second, ${word}, ${together} at once`,
    unit: "per second",
    kinds: ["parley", "dbos"],
    isNear: true,
    run: async (site, size) => measureLoops([await site.process(0)], program, together, size.loopMs),
  }))
);

const processes: readonly BenchCase[] = [1, 2, 4, 8].map((count): BenchCase => ({
  name: `processes-${count}`,
  group: "throughput",
  title: `workflows a second, of ten steps, ${count} process${count === 1 ? "" : "es"} with ${EACH_AT_ONCE} at once`,
  unit: "per second",
  kinds: ["parley", "dbos"],
  isNear: true,
  isLong: true,
  run: async (site, size) => {
    const length = Math.min(count, size.maxProcesses);
    const workers = await Promise.all(Array.from({ length }, (_, number) => site.process(number)));
    return await measureLoops(workers, "ten", EACH_AT_ONCE, size.loopMs);
  },
}));

/** What several processes do together, and how much one process does. */
export const PROCESSES: readonly BenchCase[] = [
  {
    name: "notify",
    group: "processes",
    title: "bare NOTIFY to another process, which inserts a row",
    unit: "ms",
    kinds: ["bare"],
    run: (site, size) => measureWake(site, size, 1),
  },
  {
    name: "wake",
    group: "processes",
    title: "wake by a sender in the same process",
    unit: "ms",
    kinds: ["parley", "dbos"],
    bare: "function",
    run: (site, size) => measureWake(site, size, 0),
  },
  {
    name: "wakeOther",
    group: "processes",
    title: "wake by a sender in another process",
    unit: "ms",
    kinds: ["parley", "dbos"],
    bare: "notify",
    run: (site, size) => measureWake(site, size, 1),
  },
  {
    name: "liveStream",
    group: "processes",
    title: "live stream read in another process",
    unit: "ms",
    kinds: ["parley", "dbos"],
    bare: "notify",
    run: measureLiveStream,
  },
  {
    name: "takeOver",
    group: "processes",
    title: "take-over of 1,000 steps",
    unit: "ms",
    kinds: ["parley", "dbos"],
    isLong: true,
    isNear: true,
    run: measureTakeOver,
  },
  ...loops,
  ...processes,
];
