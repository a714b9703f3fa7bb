/**
 * The systems of a run: their programs, their databases, and their processes.
 *
 * @module
 */

import { LOCK, ROOT } from "../../scripts/deno.ts";
import type { Site } from "../case.ts";
import type { BenchOptions } from "../options.ts";
import type { Kind } from "../worker/kind.ts";
import { DBOS_VERSION, type Folder, lockedVersion, output, REALTIME_VERSION } from "./folder.ts";
import { KINDS } from "./kinds.ts";
import { startRelay } from "./relay.ts";
import { addressIn, type Stores } from "./stores.ts";
import { type ProcessOptions, WorkerProcess } from "./worker_process.ts";

/** The connections of each process. */
export const POOL_SIZE = 10;

const WORKER = "bench/worker/main.ts";

/** A system with its program and its store. */
export interface BenchSystem {
  /** Its name in the results. */
  readonly name: string;
  readonly kind: Kind;
  /** What was measured. */
  readonly version: string;
  /** The address of its store: the URL of a database, JSON for Redis and Upstash, or nothing. */
  readonly url: string;
  /** How many items its store has, if that is measured. */
  readonly items?: number;
  /** How to start a process, except for its settings. */
  readonly program: ProcessOptions;
}

/** Prepares the systems of a run. */
export async function prepareSystems(
  options: BenchOptions,
  kinds: readonly Kind[],
  stores: Stores,
  folder: Folder,
): Promise<BenchSystem[]> {
  const hasWorkers = kinds.some((kind) => KINDS[kind].program === undefined);
  const isNode = options.runtime === "node" && hasWorkers;
  const packages = new Set(kinds.flatMap((kind) => KINDS[kind].packages ?? []));
  if (isNode) await folder.install([`pg@${lockedVersion("pg")}`, ...packages]);
  const worker = isNode ? await nodeProgram(folder, ROOT, "current") : denoProgram(WORKER, folder);
  const systems: BenchSystem[] = [];
  const add = async (kind: Kind, system: Omit<BenchSystem, "kind" | "url">) => {
    const { store } = KINDS[kind];
    systems.push({ ...system, kind, url: store === undefined ? "" : await addressIn(stores, store) });
  };
  for (const kind of kinds) {
    const { system: name, program: own, isSized } = KINDS[kind];
    const program = own === undefined ? worker : denoProgram(own, folder);
    const one = { name, version: await versionOf(kind), program };
    if (!isSized) await add(kind, one);
    else for (const items of options.sizes) await add(kind, { ...one, items });
  }
  const compared = kinds.filter((kind) => KINDS[kind].isCompared);
  if (options.compare === undefined || compared.length === 0) return systems;
  const version = await output("git", ["rev-parse", "--short", `${options.compare}^{commit}`], ROOT);
  const program = await nodeProgram(folder, await folder.checkOut(version), "before");
  for (const kind of compared) await add(kind, { name: "before", version, program });
  return systems;
}

async function versionOf(kind: Kind): Promise<string> {
  switch (KINDS[kind].system) {
    case "dbos":
      return DBOS_VERSION;
    case "realtime":
      return REALTIME_VERSION;
    case "bare":
      return "";
    case "parley":
      return await revision();
  }
}

async function nodeProgram(folder: Folder, root: URL, name: string): Promise<ProcessOptions> {
  const bundle = await folder.bundle(WORKER, root, name, ["pg", "@electric-sql/pglite"]);
  return { command: "node", args: ["--expose-gc", bundle], cwd: folder.path };
}

function denoProgram(file: string, folder: Folder): ProcessOptions {
  return {
    command: Deno.execPath(),
    args: ["run", LOCK, "-A", "--quiet", "--v8-flags=--expose-gc", new URL(file, ROOT).href],
    cwd: folder.path,
  };
}

/** The revision of this repository, with a `+` if files have changed since. */
async function revision(): Promise<string> {
  const hash = await output("git", ["rev-parse", "--short", "HEAD"], ROOT);
  const changed = await output("git", ["status", "--porcelain", "--untracked-files=no", "core", "drivers"], ROOT);
  return changed === "" ? hash : `${hash}+`;
}

/** Opens a system at a distance. The processes and the relay end with `stack`. */
export async function openSite(system: BenchSystem, distanceMs: number, stack: AsyncDisposableStack): Promise<Site> {
  const { name, kind, items, program: { command, args, cwd } } = system;
  const url = distanceMs === 0 ? system.url : await relayed(system, distanceMs, stack);
  const settings = JSON.stringify({ kind, url, poolSize: POOL_SIZE });
  const processes: Promise<WorkerProcess>[] = [];
  const start = () => WorkerProcess.start({ command, args: [...args, settings], cwd });
  const stop = async () => {
    const started = await Promise.allSettled(processes.splice(0));
    await Promise.all(started.map((it) => it.status === "fulfilled" ? it.value[Symbol.asyncDispose]() : undefined));
  };
  stack.defer(stop);
  return {
    system: name,
    kind,
    distanceMs,
    ...items !== undefined && { items },
    process: async (number) => {
      // One after the other, even for several calls at once, because the first one creates the tables.
      while (processes.length <= number) processes.push((processes.at(-1) ?? Promise.resolve()).then(start));
      return await processes[number]!;
    },
    fresh: start,
    // A process that holds a run in a filled store is the only one that can go on with it.
    restart: KINDS[kind].isSized ? () => Promise.resolve() : stop,
  };
}

/** The address of a system's store by way of a relay. */
async function relayed({ kind, url }: BenchSystem, distanceMs: number, stack: AsyncDisposableStack): Promise<string> {
  const relayTo = async (it: string) => stack.use(await startRelay(it, distanceMs)).url;
  const { store } = KINDS[kind];
  if (store === "postgres") return await relayTo(url);
  if (store === undefined) return url;
  const address = JSON.parse(url);
  return JSON.stringify({ ...address, url: new URL(await relayTo(address.url)).origin });
}
