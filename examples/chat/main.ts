/**
 * Serves the chat, with its workflows on Postgres in a directory (PGlite).
 *
 * @module
 */

import { parseArgs } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import { type Duration, Parley } from "@parley/parley";
import { postgresDriver } from "@parley/parley/postgres";
import { createApp } from "./app.ts";
import { mockModel } from "./model.ts";
import { html, script } from "./page.ts";
import { Refunds } from "./refunds.ts";
import { answerWorkflow } from "./workflow.ts";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: Deno.env.get("PORT") ?? "8000" },
    data: { type: "string", default: ".data/chat" },
    // The lease: how long a dead server keeps its answers.
    lease: { type: "string", default: "5s" },
    // The pause between two words of the built-in model.
    pause: { type: "string", default: "120" },
  },
});

Deno.mkdirSync(options.data, { recursive: true });
const database = await PGlite.create(`${options.data}/postgres`);
// The name of a model at the AI SDK's gateway, which needs a key, or the built-in one.
const model = Deno.env.get("CHAT_MODEL") ?? mockModel(Number(options.pause));
const refunds = new Refunds(`${options.data}/refunds.jsonl`);
const parley = new Parley({
  driver: postgresDriver(database),
  workflows: [answerWorkflow({ model, refund: refunds.refund.bind(refunds) })],
  lease: options.lease as Duration,
});

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort());
}

// Takes over the workflows of an earlier process, and runs whatever becomes due.
const working = parley.work({ signal: stop.signal });
const app = createApp({ parley, secret: secretIn(`${options.data}/secret`), html, script });
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(options.port),
  signal: stop.signal,
  onListen: ({ hostname, port }) => console.log(`The chat is open at http://${hostname}:${port}/`),
}, app.fetch);

await server.finished;
await parley[Symbol.asyncDispose]();
await working;
await database.close();

/** A secret of this directory, so that browsers keep their tokens after a restart. */
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
