/**
 * The operations that are done one after the other, and their bare statements.
 *
 * @module
 */

import { type BenchCase, median, type Sample, type Site, type Size } from "../case.ts";
import type { Arguments } from "../worker/serve.ts";
import type { Timed } from "../worker/tasks.ts";

/** How many operations a round has without distance. */
const COUNT = 120;

/** The times of a command that does operations one after the other. */
async function measureTimes(
  site: Site,
  size: Size,
  command: string,
  args: Partial<Arguments>,
): Promise<Sample> {
  const count = size.count(COUNT, site.distanceMs);
  const worker = await site.process(0);
  const { value: { times, requests, commands } } = await worker.call<Timed>(command, { count, ...args });
  return {
    figure: median(times),
    operations: count,
    requests: requests / count,
    ...commands !== undefined && { commands: commands / count },
  };
}

function operationCase(
  { title, bare, ...args }: Pick<BenchCase, "name" | "title" | "bare"> & Partial<Arguments> & { command: string },
): BenchCase {
  const { name, command, ...rest } = args;
  return {
    name,
    group: "operations",
    title,
    unit: "ms",
    kinds: ["parley", "dbos"],
    ...bare !== undefined && { bare },
    run: (site, size) => measureTimes(site, size, command, rest),
  };
}

/** A case of a bare request, which `program` names in the worker. */
export function bareCase(name: string, title: string, program: string): BenchCase {
  return {
    name,
    group: "operations",
    title,
    unit: "ms",
    kinds: ["bare"],
    run: (site, size) => measureTimes(site, size, "statement", { program }),
  };
}

/** Writes many values at once. */
const writeMany: BenchCase = {
  name: "writeMany",
  group: "operations",
  title: "writeStream, 1,000 at once",
  unit: "ms",
  kinds: ["parley", "dbos"],
  isLong: true,
  run: async (site, size) => {
    const worker = await site.process(0);
    const count = size.large(1_000, site.distanceMs);
    const { value } = await worker.call<Timed>("writeMany", { id: crypto.randomUUID(), count });
    return { figure: value.times[0]!, operations: count, requests: value.requests };
  },
};

/** The streams that `readMany` has written, for each site. */
const written = new WeakMap<Site, string>();

async function writeStreamFor(site: Site, count: number): Promise<string> {
  const id = crypto.randomUUID();
  await (await site.process(0)).call("writeMany", { id, count });
  return id;
}

const readMany: BenchCase = {
  name: "readMany",
  group: "operations",
  title: "read 10,000 values",
  unit: "ms",
  kinds: ["parley", "dbos"],
  isLong: true,
  run: async (site, size) => {
    const count = size.large(10_000, site.distanceMs);
    const id = written.get(site) ?? await writeStreamFor(site, count);
    written.set(site, id);
    const worker = await site.process(0);
    const { value: { ms, values }, requests } = await worker.call<{ ms: number; values: number }>("readAll", { id });
    if (values !== count) throw new Error(`${site.system} read ${values} values of ${count}`);
    return { figure: ms, operations: count, requests };
  },
};

/** What one process does by itself. */
export const OPERATIONS: readonly BenchCase[] = [
  bareCase("select", "bare `select 1`", "select"),
  bareCase("insert", "bare insert of a row", "insert"),
  bareCase("function", "insert of a row by a PL/pgSQL function", "function"),
  operationCase({
    name: "empty",
    title: "start to result of an empty workflow",
    command: "startToResult",
    program: "empty",
    bare: "function",
  }),
  operationCase({ name: "step", title: "step", command: "inside", operation: "step", bare: "function" }),
  operationCase({ name: "setEvent", title: "setEvent", command: "inside", operation: "setEvent", bare: "function" }),
  operationCase({ name: "sendInside", title: "send inside", command: "inside", operation: "send", bare: "function" }),
  operationCase({
    name: "writeStream",
    title: "writeStream, one by one",
    command: "inside",
    operation: "writeStream",
    bare: "function",
  }),
  operationCase({ name: "recv", title: "recv that is there", command: "inside", operation: "recv", bare: "function" }),
  operationCase({
    name: "getEventInside",
    title: "getEvent inside",
    command: "inside",
    operation: "getEvent",
    bare: "function",
  }),
  operationCase({ name: "send", title: "send outside", command: "send", bare: "function" }),
  operationCase({ name: "getEvent", title: "getEvent outside", command: "getEvent", bare: "select" }),
  writeMany,
  readMany,
];

/** The names of other stores for readers. */
const STORE_TITLES = { upstash: "Upstash", pglite: "PGlite" } as const;

/** A case over another store: `store-name`. It is compared to what `options` say. */
export function over(
  store: keyof typeof STORE_TITLES,
  name: string,
  options: Partial<BenchCase> & Pick<BenchCase, "group" | "kinds">,
  cases: readonly BenchCase[] = OPERATIONS,
): BenchCase {
  const { bare: _, ...one } = cases.find((it) => it.name === name)!;
  return { ...one, name: `${store}-${name}`, title: `${one.title}, ${STORE_TITLES[store]}`, ...options };
}
