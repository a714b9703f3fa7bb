/**
 * A process that measures cold starts of isolates in workerd, the runtime of Cloudflare. It ends
 * when its input ends.
 *
 * @module
 */

import process from "node:process";
import { Log, LogLevel, Miniflare } from "miniflare";
import { bundle } from "../../scripts/workerd/bundle.ts";
import { keepWorkerd } from "../../scripts/workerd/keeper.ts";
import type { Kind } from "../worker/kind.ts";
import { serve } from "../worker/serve.ts";
import { timed } from "../worker/tasks.ts";
import type { UpstashAddress } from "../worker/upstash.ts";

/** The first argument. */
interface Settings {
  readonly kind: Kind;
  /** The address of Upstash as JSON, for Parley. */
  readonly url: string;
}

const COMPATIBILITY_DATE = "2026-07-01";

/** The workflow that gets the messages. */
const WORKFLOW_ID = "receiver";

/** Starts a process of workerd, in which each request has an isolate of its own. */
async function startWorkerd(entry: string, inner: unknown): Promise<Miniflare> {
  const [loader, code] = await Promise.all(["bench/workerd/loader.ts", entry].map((path) => bundle(path)));
  return new Miniflare({
    modules: [{ type: "ESModule", path: "loader.js", contents: loader! }],
    compatibilityDate: COMPATIBILITY_DATE,
    host: "127.0.0.1",
    bindings: { CODE: code!, INNER: JSON.parse(JSON.stringify(inner)), COMPATIBILITY_DATE },
    workerLoaders: { LOADER: {} },
    // Otherwise it fetches `request.cf` from Cloudflare, and keeps it in a folder.
    cf: false,
    telemetry: { enabled: false },
    unsafeRuntimeEnv: keepWorkerd(),
    log: new Log(LogLevel.NONE),
  });
}

const { kind, url }: Settings = JSON.parse(process.argv[2]!);
const address: Partial<UpstashAddress> = kind === "workerd" ? JSON.parse(url) : {};
const miniflare = await startWorkerd(`bench/workerd/${kind === "workerd" ? "endpoint" : "hello"}.ts`, address);
const { origin } = await miniflare.ready;

/** Sends a request to a fresh isolate. */
async function post(path: string, body: unknown): Promise<void> {
  const headers = {
    authorization: `Bearer ${address.token}`,
    "content-type": "application/json",
    // Miniflare compresses as Cloudflare does.
    "accept-encoding": "identity",
  };
  const response = await fetch(`${origin}/parley${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${path} of ${kind}: ${response.status} ${text}`);
}

await post("/workflows", { workflow: "greet", workflowId: WORKFLOW_ID, enqueue: true });
await serve({
  cold: ({ count }) => timed(count, () => post(`/workflows/${WORKFLOW_ID}/messages`, { message: "Ada" })),
});
await miniflare.dispose();
process.exit(0);
