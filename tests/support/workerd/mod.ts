/**
 * Workers in workerd, the runtime of Cloudflare, by its own simulator Miniflare: nothing is uploaded, and nothing leaves this machine.
 *
 * @module
 */

import { Log, LogLevel, Miniflare } from "miniflare";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { bundle } from "./bundle.ts";
import { keepWorkerd } from "./keeper.ts";
import { Outgoing } from "./outgoing.ts";

export type { Count, Outgoing } from "./outgoing.ts";

/** Options of {@linkcode startWorker}. */
export interface WorkerOptions {
  /** The path of the worker's module, from the root of the repository. */
  readonly entry: string;
  /** Variables and secrets of the worker. */
  readonly bindings?: Record<string, string>;
  /** The name of a binding with which the worker calls itself. */
  readonly self?: string;
}

/** A worker that runs. Disposing of it ends its process, and whatever it has under way. */
export interface RunningWorker {
  /** Where it listens. */
  readonly url: string;
  /** What it fetches. {@linkcode HOST} is the worker itself. */
  readonly outgoing: Outgoing;
  /** What it has written to the console. */
  readonly logs: readonly string[];
  /** Requests a path of it. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Has its cron trigger go off, and settles when the worker's handler has. */
  scheduled(cron?: string): Promise<void>;
  /** As of `AsyncDisposable`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The worker's own host, for what it fetches from itself. */
export const HOST = "worker.test";

/** What the bundles are tested with. No flags: neither `nodejs_compat` nor any other. */
const COMPATIBILITY_DATE = "2026-07-01";

const NAME = "worker";
const STOP_MS = 5_000;

/**
 * Bundles a worker and starts it in a process of its own. It takes about half a second.
 *
 * To be called while a test file is loaded, and disposed of after its tests: in a test, Deno would count its connections as a leak.
 */
export async function startWorker({ entry, bindings = {}, self }: WorkerOptions): Promise<RunningWorker> {
  const outgoing = new Outgoing();
  const logs: string[] = [];
  const miniflare = new Miniflare({
    name: NAME,
    modules: [{ type: "ESModule", path: "worker.js", contents: await bundle(entry) }],
    compatibilityDate: COMPATIBILITY_DATE,
    host: "127.0.0.1",
    bindings,
    ...(self !== undefined && { serviceBindings: { [self]: NAME } }),
    outboundService: { external: { address: outgoing.address, http: {} } },
    // Otherwise it fetches what `request.cf` is to be from Cloudflare, and keeps it in a folder.
    cf: false,
    telemetry: { enabled: false },
    unsafeRuntimeEnv: keepWorkerd(),
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }: { message: string }) => void logs.push(message),
  });
  const { origin } = await miniflare.ready;
  outgoing.route(HOST, origin);
  // Its types are those of a package that only Cloudflare's own tools install.
  const worker = await miniflare.getWorker() as unknown as {
    scheduled(event: { cron: string }): Promise<{ outcome: string }>;
  };
  return {
    url: origin,
    outgoing,
    logs,
    fetch: async (path, init = {}) => {
      const headers = new Headers(init.headers);
      // Miniflare compresses as Cloudflare does, and holds back what is sent in small pieces.
      headers.set("accept-encoding", "identity");
      return await fetch(`${origin}${path}`, { redirect: "manual", ...init, headers });
    },
    scheduled: async (cron = "* * * * *") => {
      const { outcome } = await worker.scheduled({ cron });
      if (outcome !== "ok") throw new Error(`The worker's scheduled() ended with ${outcome}`);
    },
    async [Symbol.asyncDispose]() {
      // It kills the process by its ID, and waits until that is gone.
      await within(STOP_MS, miniflare.dispose());
      await outgoing[Symbol.asyncDispose]();
    },
  };
}

async function within(ms: number, promise: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = delay(systemClock, ms, over.signal).then(() => {
    if (!over.signal.aborted) throw new Error(`The worker did not stop within ${ms} ms`);
  });
  await Promise.race([promise, late]).finally(() => over.abort());
}
