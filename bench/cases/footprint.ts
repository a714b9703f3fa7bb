/**
 * What a system needs before it does anything: memory for waits, and time to start.
 *
 * @module
 */

import { type BenchCase, median, type Site, type Size } from "../case.ts";
import type { WorkerProcess } from "../setup/worker_process.ts";
import type { Timed } from "../worker/tasks.ts";

/** Measures in a process that serves nothing else. */
async function inFresh<T>(site: Site, use: (worker: WorkerProcess) => Promise<T>): Promise<T> {
  await using worker = await site.fresh();
  return await use(worker);
}

/** The tables exist before a process is measured. */
async function measureStart(site: Site) {
  await site.process(0);
  const begin = performance.now();
  const command = site.kind === "bare" ? "statement" : "startToResult";
  const program = site.kind === "bare" ? "select" : "empty";
  const figure = await inFresh(site, async (worker) => {
    await worker.call(command, { count: 1, program });
    return performance.now() - begin;
  });
  return { figure, operations: 1 };
}

async function measureHeap(site: Site, size: Size, command: "hotHeap" | "suspendedHeap") {
  const { value } = await inFresh(
    site,
    (worker) => worker.call<number>(command, { count: size.waits, pauseMs: size.restMs }),
  );
  return { figure: value, operations: size.waits };
}

/** How many isolates a round has. They stay in memory until the end of the run. */
const ISOLATES = 5;

/** The time from a request to its answer, each in a fresh isolate. */
async function measureIsolates(site: Site, size: Size) {
  const count = size.count(ISOLATES, site.distanceMs);
  const { value: { times } } = await (await site.process(0)).call<Timed>("cold", { count });
  return { figure: median(times), operations: count };
}

const ISOLATE_CASE = { group: "footprint", isNear: true, unit: "ms", run: measureIsolates } as const;

const FOOTPRINT_CASE = { group: "footprint", isNear: true, isLong: true } as const;

/** Memory and cold starts. */
export const FOOTPRINT: readonly BenchCase[] = [
  {
    ...FOOTPRINT_CASE,
    name: "coldBare",
    title: "start of a process to its first `select 1`",
    unit: "ms",
    kinds: ["bare"],
    run: measureStart,
  },
  {
    ...FOOTPRINT_CASE,
    name: "cold",
    title: "start of a process to its first result",
    unit: "ms",
    kinds: ["parley", "dbos"],
    bare: "coldBare",
    run: measureStart,
  },
  {
    ...ISOLATE_CASE,
    name: "isolateBare",
    title: "cold start of an empty Worker in workerd to its first answer",
    kinds: ["bareWorkerd"],
  },
  {
    ...ISOLATE_CASE,
    name: "isolate",
    title: "cold start of an isolate of workerd to the answer of its first `send`",
    kinds: ["workerd"],
    bare: "isolateBare",
  },
  {
    ...FOOTPRINT_CASE,
    name: "heapHot",
    title: "heap of a workflow that waits in memory",
    unit: "bytes",
    kinds: ["parley", "dbos"],
    run: (site, size) => measureHeap(site, size, "hotHeap"),
  },
  {
    ...FOOTPRINT_CASE,
    name: "heapSuspended",
    title: "heap of a suspended workflow",
    unit: "bytes",
    kinds: ["parley"],
    run: (site, size) => measureHeap(site, size, "suspendedHeap"),
  },
];
