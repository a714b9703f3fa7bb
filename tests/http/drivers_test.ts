/**
 * Every route and every webhook over each driver. Those over Neon and Upstash run in workerd, in `tests/workerd`, where an adapter cannot be
 * looked into; here are those over PGlite, in which everything can be broken, and the rest for the other two.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../../testing/mod.ts";
import { memoryHarness } from "../support/memory.ts";
import { neonHarness } from "../support/neon_harness.ts";
import { pgliteHarness, pgliteTest } from "../support/pglite.ts";
import { postgresUrl } from "../support/postgres_server.ts";
import { redisUrl } from "../support/redis_server.ts";
import { upstashHarness } from "../support/upstash_harness.ts";
import { auth } from "./suites/auth.ts";
import { durableStreams } from "./suites/durable_streams.ts";
import { durableStreamsClient } from "./suites/durable_streams_client.ts";
import { edges } from "./suites/edges.ts";
import { events } from "./suites/events.ts";
import { names } from "./suites/names.ts";
import { requests } from "./suites/requests.ts";
import { routes } from "./suites/routes.ts";
import { streams } from "./suites/streams.ts";
import { liveStreams } from "./suites/streams_live.ts";
import { webhooks } from "./suites/webhooks.ts";

const neon = await neonHarness(await postgresUrl(), { push: false });
const upstash = upstashHarness(await redisUrl(), { push: false });

/** Titles are unique in a file. */
function over(driver: string, test: RegisterTest = Deno.test): RegisterTest {
  return (name, fn) => test(`over ${driver}: ${name}`, fn);
}

const pglite = over("PGlite", pgliteTest);
for (const suite of [routes, requests, auth, events, streams, liveStreams, durableStreams, durableStreamsClient, webhooks]) {
  suite(pglite, pgliteHarness);
}
names(pglite, pgliteHarness, { runs: 20 });

const drivers: readonly [string, MakeHarness, RegisterTest?][] = [
  ["memory", memoryHarness],
  ["PGlite", pgliteHarness, pgliteTest],
  ["Neon", neon],
  ["Upstash", upstash],
];
for (const [name, harness, test] of drivers) edges(over(name, test), harness);

webhooks(over("Neon"), neon);
webhooks(over("Upstash"), upstash);
