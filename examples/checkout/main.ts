/**
 * Serves the shop, with its workflows in a file of SQLite.
 *
 * @module
 */

import { parseArgs } from "node:util";
// @ts-ignore: packages of the project's tests hide the types of this module
import { DatabaseSync } from "node:sqlite";
import { type Duration, Parley } from "@parley/parley";
import { sqliteDriver } from "@parley/parley/sqlite";
import { createApp } from "./app.ts";
import { Ledger } from "./ledger.ts";
import { FakeProvider } from "./provider.ts";
import { checkoutWorkflow } from "./workflow.ts";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: Deno.env.get("PORT") ?? "8000" },
    data: { type: "string", default: Deno.env.get("CHECKOUT_DATA") ?? ".data/checkout" },
    // The lease: how long a dead server keeps its orders.
    lease: { type: "string", default: "10s" },
    // The latency of the payment provider and the warehouse.
    latency: { type: "string", default: "400" },
  },
});

Deno.mkdirSync(options.data, { recursive: true });
using _lock = await lock(`${options.data}/lock`);
const database = new DatabaseSync(`${options.data}/shop.db`);

const tokenSecret = secretIn(`${options.data}/secret`);
const secret = Deno.env.get("WEBHOOK_SECRET") ?? tokenSecret;
const provider = new FakeProvider({
  ledger: new Ledger(`${options.data}/ledger.jsonl`),
  secret,
  latencyMs: Number(options.latency),
});
const parley = new Parley({
  driver: sqliteDriver(database),
  workflows: [checkoutWorkflow(provider)],
  lease: options.lease as Duration,
});

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stop.abort());

// Takes over the workflows of an earlier process, and runs whatever becomes due.
const working = parley.work({ signal: stop.signal });
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(options.port),
  signal: stop.signal,
  onListen: ({ hostname, port }) => console.log(`The shop is open at http://${hostname}:${port}/`),
}, createApp({ parley, provider, secret, tokenSecret }).fetch);

await server.finished;
await parley[Symbol.asyncDispose]();
await working;
database.close();

/**
 * The provider's books are those of one process. The system releases the lock however its holder
 * dies.
 */
async function lock(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { create: true, write: true });
  if (await file.tryLock(true)) return file;
  throw new Error(`Opening ${path}: another server uses this directory, and there must be one at a time`);
}

/**
 * A secret of this directory, made at the first start, so that browsers keep their tokens after a
 * restart.
 */
function secretIn(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64();
    // Written as a whole or not at all, because the server may be killed here too.
    Deno.writeTextFileSync(`${path}.new`, secret, { mode: 0o600 });
    Deno.renameSync(`${path}.new`, path);
    return secret;
  }
}
