/**
 * `deno task bench`: what Parley costs, beside DBOS and bare requests.
 *
 * @module
 */

import os from "node:os";
import { type BenchCase, FULL_SIZE, SMOKE_SIZE } from "./case.ts";
import { FOOTPRINT } from "./cases/footprint.ts";
import { GROWTH } from "./cases/growth.ts";
import { OPERATIONS } from "./cases/operations.ts";
import { PROCESSES } from "./cases/processes.ts";
import { PGLITE } from "./cases/pglite.ts";
import { UPSTASH } from "./cases/upstash.ts";
import { type BenchOptions, HELP, readOptions } from "./options.ts";
import { type Measurement, type Results, RESULTS_FORMAT } from "./results.ts";
import { measureAt } from "./rounds.ts";
import { Folder } from "./setup/folder.ts";
import { Redis } from "./scale/upstash/redis.ts";
import { removeKeys } from "./scale/upstash/store.ts";
import { KINDS, kindsOf } from "./setup/kinds.ts";
import { dropDatabases, startStores } from "./setup/stores.ts";
import { type BenchSystem, POOL_SIZE, prepareSystems } from "./setup/systems.ts";
import { printTables } from "./tables.ts";
import type { Kind } from "./worker/kind.ts";

const CASES: readonly BenchCase[] = [...OPERATIONS, ...PROCESSES, ...FOOTPRINT, ...UPSTASH, ...PGLITE, ...GROWTH];

/** The cases of a run. With a case comes the bare one to which it is compared. */
function casesOf(names: readonly string[]): BenchCase[] {
  for (const name of names) {
    if (CASES.some((it) => it.name === name || it.group === name)) continue;
    throw new Error(`There is no case and no group ${name}; --list names them`);
  }
  const chosen = CASES.filter(({ name, group }) => names.length === 0 || names.includes(name) || names.includes(group));
  const bare = new Set(chosen.map((it) => it.bare));
  return CASES.filter((it) => chosen.includes(it) || bare.has(it.name));
}

async function measureAll(options: BenchOptions): Promise<Results> {
  const cases = casesOf(options.names);
  const kinds = kindsOf(options, cases.flatMap((it) => it.kinds));
  await using stack = new AsyncDisposableStack();
  const { stores, versions } = await startStores(new Set(kinds.flatMap((kind) => KINDS[kind].store ?? [])), stack);
  const folder = stack.use(await Folder.make());
  const systems = await prepareSystems(options, kinds, stores, folder);
  const databases = systems.filter(({ kind }) => KINDS[kind].store === "postgres").map(({ url }) => url);
  if (stores.postgres !== undefined) stack.defer(() => dropDatabases(stores.postgres!, databases));
  stack.defer(() => emptyStores(systems));
  const measurements: Measurement[] = [];
  const results = { ...about(options, { ...versionsOf(systems), ...versions, ...softwareOf(kinds) }), measurements };
  for (const distanceMs of options.distances) {
    const size = options.smoke ? SMOKE_SIZE : FULL_SIZE;
    measurements.push(...await measureAt(distanceMs, cases, systems, options, size));
    // A long run that is cut off leaves the distances that it has measured.
    if (options.json !== undefined) await Deno.writeTextFile(options.json, `${JSON.stringify(results, null, 1)}\n`);
  }
  return results;
}

/** Removes what systems have in Redis, if it is much. Other systems have few keys, with a prefix of the run. */
async function emptyStores(systems: readonly BenchSystem[]): Promise<void> {
  for (const { kind, url } of systems) {
    if (kind !== "filledUpstash") continue;
    const address: { url: string; prefix: string } = JSON.parse(url);
    using redis = await Redis.connect(address.url);
    await removeKeys(redis, address.prefix);
  }
}

function versionsOf(systems: readonly BenchSystem[]): Record<string, string> {
  return Object.fromEntries(systems.filter(({ name }) => name !== "bare").map(({ name, version }) => [name, version]));
}

function softwareOf(kinds: readonly Kind[]): Record<string, string> {
  return Object.assign({}, ...kinds.map((kind) => KINDS[kind].software));
}

function about(options: BenchOptions, versions: Record<string, string>) {
  const node = options.runtime === "node"
    ? new Deno.Command("node", { args: ["--version"] }).outputSync().stdout
    : null;
  return {
    format: RESULTS_FORMAT,
    date: new Date().toISOString().slice(0, 10),
    ...options.note !== undefined && { note: options.note },
    versions: {
      ...versions,
      ...node && { Node: new TextDecoder().decode(node).trim().slice(1) },
      Deno: Deno.version.deno,
    },
    machine: {
      cores: os.cpus().length,
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      processor: os.cpus()[0]?.model ?? "unknown",
      os: `${os.type()} ${os.release().split("-")[0]}`,
    },
    options: { rounds: options.rounds, distances: options.distances, runtime: options.runtime, poolSize: POOL_SIZE },
  } as const;
}

const options = readOptions(Deno.args);
if (options === "help") console.log(HELP);
else if (options === "list") {
  for (const [group, cases] of Map.groupBy(CASES, (it) => it.group)) {
    console.log(`${group}: ${cases.map(({ name }) => name).join(" ")}`);
  }
} else {
  printTables(await measureAll(options));
}
