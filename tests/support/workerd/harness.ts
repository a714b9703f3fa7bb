/**
 * Harnesses whose adapter runs in a worker. The drivers of the harness are in this process, over
 * the same store.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { openNeon } from "../../../drivers/neon/driver.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import type { RegisterTest } from "../../../conformance/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import type { RemoteHarness } from "../../http/support/mount.ts";
import { WISH, type Wish } from "../../workerd/entries/wish.ts";
import { atNeon, Backstage } from "../../drivers/neon/support/harness.ts";
import { PostgresStore } from "../../drivers/postgres/support/store.ts";
import { Requests } from "../requests.ts";
import { removeKeys } from "../../drivers/upstash/support/harness.ts";
import { startUpstashServer } from "../../drivers/upstash/server/mod.ts";
import { Redis } from "../../drivers/upstash/server/redis.ts";
import type { RunningWorker } from "./mod.ts";

/**
 * The minimum duration of a tick of the suites' clock, so that a worker, whose clock is real, has
 * time to answer.
 */
const TICK_MS = 1;

/** The tokens of the suites. */
const CREDENTIALS = { tokens: ["s3cret", "a-token"], secret: "a secret of the tests, and of nobody else" };

/** Makes harnesses with a store of their own. */
export type MakeRemoteHarness = () => Promise<RemoteHarness>;

/** Over Neon, in a schema of the test file. */
export async function neonRemote(postgres: string, worker: Pick<RunningWorker, "fetch">): Promise<MakeRemoteHarness> {
  const backstage = new Backstage(postgres);
  const { server, ...used } = await backstage.use();
  const store = await PostgresStore.create(backstage, `Worker ${crypto.randomUUID()}`);
  Deno.test.afterAll(async () => {
    await store.drop();
    await used[Symbol.asyncDispose]();
  });
  const options = { schema: store.schema, push: false, endpoint: { http: server.http } };
  return async () => {
    const requests = new Requests();
    const open = () => openNeon(atNeon(postgres), options).driver;
    const harness = await store.harness([open(), open()], requests);
    return remote(harness, worker, { neon: [atNeon(postgres), options] });
  };
}

/** Over Upstash, with keys of their own. */
export function upstashRemote(
  redisUrl: string,
  worker: Pick<RunningWorker, "fetch">,
  { push }: { push: boolean },
): MakeRemoteHarness {
  return async () => {
    const server = await startUpstashServer({ redisUrl });
    const prefix = `worker:${crypto.randomUUID()}`;
    const database = { url: server.url, token: server.token };
    const open = () => openUpstash(database, { prefix, push: false }).driver;
    const clock = new ManualClock();
    const harness = {
      drivers: [open(), open()] as const,
      clock,
      advance: (ms: number) => clock.advance(ms),
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        using redis = await Redis.connect(redisUrl);
        await removeKeys(redis, prefix);
      },
    };
    return remote(harness, worker, { upstash: [database, { prefix, push }] });
  };
}

function remote(
  harness: Omit<RemoteHarness, "mount" | "mountHooks">,
  worker: Pick<RunningWorker, "fetch">,
  store: Wish["store"],
): RemoteHarness {
  return {
    ...harness,
    async advance(ms) {
      await delay(systemClock, TICK_MS);
      await harness.advance(ms);
    },
    // JSON leaves functions out. A test that needs a function of its own is not for workers.
    mount: (options) => passOn(worker, { store, options, ...CREDENTIALS }),
    mountHooks: (settings) => passOn(worker, { store, options: {}, hooks: settings, ...CREDENTIALS }),
  };
}

/** Makes the worker answer as the test wishes. */
function passOn(worker: Pick<RunningWorker, "fetch">, wish: Omit<Wish, "path">): Hono {
  return new Hono().all("*", async ({ req: { raw, routePath } }) => {
    const headers = new Headers(raw.headers);
    headers.set(WISH, JSON.stringify({ ...wish, path: routePath.replace(/\/?\*$/, "/") }));
    const path = raw.url.replace(/^[^:]*:\/\/[^/]*/, "");
    return await whole(await worker.fetch(path, { method: raw.method, headers, body: raw.body, signal: raw.signal }));
  });
}

/** Reads the whole body, as of an answer from this process, unless the body goes on. */
async function whole(response: Response): Promise<Response> {
  if (!response.body || /event-stream|ndjson/.test(response.headers.get("content-type") ?? "")) return response;
  return new Response(await response.bytes(), response);
}

/** The maximum duration of a test of the suites. */
const MAX_TEST_MS = 15_000;

/**
 * Registers the tests that are for workers, and names the others with the reason. `done` registers
 * a test that fails if one of the others does not exist.
 *
 * These tests do not check for leaks, because the suites drop answers that are complete within one
 * process and still on their way here.
 */
export function except(exemptions: Readonly<Record<string, string>>): RegisterTest & { done(): void } {
  const stale = new Set(Object.keys(exemptions));
  const register = (name: string, run: () => Promise<void>) => {
    stale.delete(name);
    const because = exemptions[name];
    if (because !== undefined) return console.log(`Left out, since ${because}: ${name}`);
    Deno.test({ name, fn: () => inTime(run), sanitizeOps: false, sanitizeResources: false });
  };
  const done = () => Deno.test("every test that is left out is there", () => assert.deepEqual([...stale], []));
  return Object.assign(register, { done });
}

async function inTime(run: () => Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = delay(systemClock, MAX_TEST_MS, over.signal).then(() => {
    if (!over.signal.aborted) throw new Error(`It was not over within ${MAX_TEST_MS} ms`);
  });
  await Promise.race([run(), late]).finally(() => over.abort());
}
