/**
 * Workers in workerd, the runtime of Cloudflare, in its own simulator Miniflare. Nothing is
 * uploaded, and nothing leaves this machine.
 *
 * @module
 */

import { Log, LogLevel, Miniflare } from "miniflare";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { bundle } from "../../../scripts/workerd/bundle.ts";
import { keepWorkerd } from "../../../scripts/workerd/keeper.ts";
import { Outgoing } from "./outgoing.ts";

export type { Count, Outgoing } from "./outgoing.ts";

/** Options of {@linkcode startWorker}. */
export interface WorkerOptions {
  /** The path of the worker's module, from the root of the repository. */
  readonly entry: string;
  /** Variables and secrets of the worker. */
  readonly bindings?: Record<string, string>;
  /** The name of a binding with which the worker calls itself, or one of its entry points. */
  readonly self?: string | { readonly binding: string; readonly entrypoint: string };
  /** The classes of its Durable Objects, by the names of their bindings. They have SQLite. */
  readonly objects?: Record<string, string>;
  /** The bindings of `objects` whose classes have no SQLite. */
  readonly withoutSqlite?: readonly string[];
  /** The folder of the objects' storage. Default: one in memory, which is removed with the worker. */
  readonly folder?: string;
  /** Compatibility flags. Default none. */
  readonly flags?: readonly string[];
  /** The compatibility date. */
  readonly date?: string;
  /**
   * The connection string of a PostgreSQL. The worker reaches it through the binding `HYPERDRIVE`,
   * and gets the flag `nodejs_compat`, which node-postgres needs.
   */
  readonly hyperdrive?: string;
}

/** A running worker. Disposing of it ends its process and its work. */
export interface RunningWorker {
  /** The origin on which it listens. */
  readonly url: string;
  /** The requests that it makes. {@linkcode HOST} is the worker itself. */
  readonly outgoing: Outgoing;
  /** The lines that it has written to the console. */
  readonly logs: readonly string[];
  /** Requests a path of the worker. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Fires its cron trigger, and settles when the worker's handler has settled. */
  scheduled(cron?: string): Promise<void>;
  /** As of `AsyncDisposable`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The worker's own host, for requests to itself. */
export const HOST = "worker.test";

/** The compatibility date of the tests. Most have no flags: neither `nodejs_compat` nor any other. */
const COMPATIBILITY_DATE = "2026-07-01";

const NAME = "worker";
const STOP_MS = 5_000;

/**
 * Bundles a worker and starts it in a process of its own. It takes about half a second.
 *
 * Call it while a test file is loaded, and dispose of the worker after its tests. In a test, Deno
 * would count its connections as a leak.
 */
export async function startWorker(
  {
    entry,
    bindings = {},
    self,
    objects = {},
    withoutSqlite = [],
    folder,
    flags = [],
    date = COMPATIBILITY_DATE,
    hyperdrive,
  }: WorkerOptions,
): Promise<RunningWorker> {
  const outgoing = new Outgoing();
  const logs: string[] = [];
  const own = folder === undefined && Object.keys(objects).length > 0 ? await makeMemoryFolder() : undefined;
  const miniflare = new Miniflare({
    name: NAME,
    modules: [{
      type: "ESModule",
      path: "worker.js",
      contents: await bundle(entry, { nodejs: hyperdrive !== undefined }),
    }],
    compatibilityDate: date,
    compatibilityFlags: hyperdrive === undefined ? [...flags] : [...flags, "nodejs_compat"],
    ...(hyperdrive !== undefined && { hyperdrives: { HYPERDRIVE: hyperdrive } }),
    durableObjects: Object.fromEntries(
      Object.entries(objects).map((
        [name, className],
      ) => [name, { className, useSQLite: !withoutSqlite.includes(name) }]),
    ),
    durableObjectsPersist: folder ?? own ?? false,
    host: "127.0.0.1",
    bindings,
    ...(self !== undefined && { serviceBindings: toServices(self) }),
    outboundService: { external: { address: outgoing.address, http: {} } },
    // Otherwise it fetches `request.cf` from Cloudflare, and keeps it in a folder.
    cf: false,
    telemetry: { enabled: false },
    unsafeRuntimeEnv: keepWorkerd(),
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }: { message: string }) => void logs.push(message),
  });
  const { origin } = await miniflare.ready;
  outgoing.route(HOST, origin);
  // Its types come from a package that only Cloudflare's own tools install.
  const worker = await miniflare.getWorker() as unknown as {
    scheduled(event: { cron: string }): Promise<{ outcome: string }>;
  };
  return {
    url: origin,
    outgoing,
    logs,
    fetch: async (path, init = {}) => {
      const headers = new Headers(init.headers);
      // Miniflare compresses as Cloudflare does, and so holds back small pieces.
      headers.set("accept-encoding", "identity");
      return await fetch(`${origin}${path}`, { redirect: "manual", ...init, headers });
    },
    scheduled: async (cron = "* * * * *") => {
      const { outcome } = await worker.scheduled({ cron });
      if (outcome !== "ok") throw new Error(`The worker's scheduled() ended with ${outcome}`);
    },
    async [Symbol.asyncDispose]() {
      // This kills the process by its ID, and waits until the process is gone.
      await within(STOP_MS, miniflare.dispose());
      await outgoing[Symbol.asyncDispose]();
      if (own !== undefined) await Deno.remove(own, { recursive: true });
    },
  };
}

function toServices(
  self: NonNullable<WorkerOptions["self"]>,
): Record<string, string | { name: string; entrypoint: string }> {
  return typeof self === "string" ? { [self]: NAME } : { [self.binding]: { name: NAME, entrypoint: self.entrypoint } };
}

/** Makes a folder in memory, if the system has such a place. Each write of an object waits for the disk. */
export async function makeMemoryFolder(): Promise<string> {
  const prefix = "parley-objects-";
  return await Deno.makeTempDir({ prefix, dir: "/dev/shm" }).catch(() => Deno.makeTempDir({ prefix }));
}

async function within(ms: number, promise: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = delay(systemClock, ms, over.signal).then(() => {
    if (!over.signal.aborted) throw new Error(`The worker did not stop within ${ms} ms`);
  });
  await Promise.race([promise, late]).finally(() => over.abort());
}
