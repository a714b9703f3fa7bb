/**
 * The set-up of the tests of a worker's limits: a store, a worker with faster time, and the
 * requests of each of its invocations.
 *
 * @module
 */

import { openNeon } from "../../../drivers/neon/driver.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import { Parley, type Workflow, workflow } from "../../../mod.ts";
import { sentEvents } from "../../http/support/service.ts";
import { atNeon, Backstage } from "../../drivers/neon/support/harness.ts";
import { quoted } from "../../drivers/postgres/support/store.ts";
import { removeKeys } from "../../drivers/upstash/support/harness.ts";
import { startUpstashServer } from "../../drivers/upstash/server/mod.ts";
import { Redis } from "../../drivers/upstash/server/redis.ts";
import { type RunningWorker, startWorker } from "./mod.ts";

/** How many times faster time passes in these workers. */
export const SPEED = 25;

/** The limits of an invocation on Cloudflare's free plan. */
export const FREE = { requests: 50, waiting: 6 };

/** The limits that the workers state, with room for requests that are not counted. */
export const MAX_REQUESTS = 40;

/** Writes each message to the stream `log`, until a message stops it. */
const scribe: Workflow<unknown, void> = workflow("scribe", async (ctx) => {
  for (let value = await ctx.recv(); value !== "stop"; value = await ctx.recv()) await ctx.writeStream("log", value);
});

/** A store, and a writer outside of any worker. */
export interface Site {
  /** The bindings of a worker that has the same store. */
  readonly bindings: Record<string, string>;
  readonly outside: Parley;
  dispose(): Promise<void>;
}

/** A schema in a local Neon. */
export async function neonSite(postgres: string): Promise<Site> {
  const backstage = new Backstage(postgres);
  const used = await backstage.use();
  const schema = `Limits ${crypto.randomUUID()}`;
  const driver = openNeon(atNeon(postgres), { schema, push: false, endpoint: { http: used.server.http } }).driver;
  await driver.migrate();
  return {
    bindings: { NEON: used.server.http, CONNECTION_STRING: atNeon(postgres), SCHEMA: schema },
    outside: new Parley({ driver, workflows: [scribe], hotWait: 0 }),
    async dispose() {
      await backstage.query(`drop schema if exists ${quoted(schema)} cascade`);
      await used[Symbol.asyncDispose]();
    },
  };
}

/** Keys in a local Upstash. */
export async function upstashSite(redisUrl: string): Promise<Site> {
  const server = await startUpstashServer({ redisUrl });
  const prefix = `limits:${crypto.randomUUID()}`;
  const database = { url: server.url, token: server.token };
  const { driver } = openUpstash(database, { prefix, push: false });
  return {
    bindings: { UPSTASH: server.url, TOKEN: server.token, PREFIX: prefix },
    outside: new Parley({ driver, workflows: [scribe], hotWait: 0 }),
    async dispose() {
      await server[Symbol.asyncDispose]();
      using redis = await Redis.connect(redisUrl);
      await removeKeys(redis, prefix);
    },
  };
}

/**
 * Starts a worker over a store. `waitUntil: false`: the platform does not learn what goes on after
 * an answer.
 */
export async function startAt(
  { bindings }: Site,
  options: { maxRequests?: number; waitUntil?: boolean } = {},
): Promise<RunningWorker> {
  const { maxRequests = "", waitUntil = true } = options;
  const own = {
    ...bindings,
    SPEED: String(SPEED),
    MAX_REQUESTS: String(maxRequests),
    WAIT_UNTIL: waitUntil ? "yes" : "no",
  };
  return await startWorker({ entry: "tests/workerd/entries/limits.ts", bindings: own });
}

/** Starts a workflow `scribe` outside of the worker. It writes its messages to its stream. */
export async function startScribe(
  { outside }: Site,
  workflowId: string,
): Promise<(...values: unknown[]) => Promise<void>> {
  await outside.start(scribe, null, { workflowId });
  await outside.idle();
  return async (...messages) => {
    await outside.sendAll(messages.map((message) => ({ destinationId: workflowId, message })));
    await outside.idle();
  };
}

/** A request with the token. */
export async function ask(worker: RunningWorker, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = {
    authorization: "Bearer t0ken",
    "content-type": "application/json",
    ...init.headers as Record<string, string>,
  };
  return await worker.fetch(`/parley${path}`, { ...init, headers });
}

/**
 * Follows a stream as `EventSource` does. It comes back after each end but the last, until the
 * stream has ended or enough time has passed.
 */
export async function follow(
  worker: RunningWorker,
  path: string,
  { forMs }: { forMs: number },
): Promise<{ values: unknown[]; connections: number }> {
  const values: unknown[] = [];
  const began = performance.now();
  let connections = 0;
  for (let id: string | undefined; performance.now() - began < forMs;) {
    connections += 1;
    const headers = { accept: "text/event-stream", ...(id !== undefined && { "last-event-id": id }) };
    for await (const sent of sentEvents(await ask(worker, path, { headers }))) {
      id = sent.id ?? id;
      if (sent.event === "end") return { values, connections };
      if (sent.data !== undefined) values.push(JSON.parse(sent.data));
    }
  }
  return { values, connections };
}
