/**
 * What a caller may make up, and every webhook, over each driver. Those over PGlite are in a file of their own, and every route over Neon and
 * Upstash is in `tests/workerd`, where an adapter cannot be looked into.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../../conformance/mod.ts";
import { memoryHarness } from "../drivers/memory/harness.ts";
import { neonHarness } from "../drivers/neon/support/harness.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { upstashHarness } from "../drivers/upstash/support/harness.ts";
import { edges } from "./suites/edges.ts";
import { webhooks } from "./suites/webhooks.ts";

const neon = await neonHarness(await postgresUrl(), { push: false });
const upstash = upstashHarness(await redisUrl(), { push: false });

/** Titles are unique in a file. */
function over(driver: string): RegisterTest {
  return (name, fn) => Deno.test(`over ${driver}: ${name}`, fn);
}

const drivers: readonly [string, MakeHarness][] = [["memory", memoryHarness], ["Neon", neon], ["Upstash", upstash]];
for (const [name, harness] of drivers) edges(over(name), harness);

webhooks(over("Neon"), neon);
webhooks(over("Upstash"), upstash);
