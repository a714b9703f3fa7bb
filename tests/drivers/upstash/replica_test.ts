/**
 * The conformance suite in front of a replica that never learns of anything. A read from the
 * replica would find nothing.
 *
 * @module
 */

import assert from "node:assert/strict";
import { systemClock } from "../../../core/time/clock.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import { openTransport } from "../../../drivers/upstash/transport/open_transport.ts";
import { conformance, type Harness } from "../../../conformance/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { startRedis } from "./support/redis_server.ts";
import { startUpstashServer, type UpstashServer } from "./server/mod.ts";
import { loadScripts } from "./support/harness.ts";

const primary = await startRedis();
const replica = await startRedis({ replicaOf: primary.url });
Deno.test.afterAll(async () => {
  await replica.stop();
  await primary.stop();
});

/** A server that knows the scripts. Its replica learns of no later write. */
async function startStale(
  clock?: () => number,
): Promise<UpstashServer & { readonly replica: NonNullable<UpstashServer["replica"]> }> {
  const server = await startUpstashServer({ redisUrl: primary.url, replicaUrl: replica.url, ...(clock && { clock }) });
  assert(server.replica);
  await loadScripts(server);
  await server.replica.hold();
  return server as Awaited<ReturnType<typeof startStale>>;
}

/** Two drivers as in two isolates: each reads the writes of the other. */
async function harness(): Promise<Harness> {
  const clock = new ManualClock();
  const server = await startStale(() => clock.now());
  const prefix = crypto.randomUUID();
  const open = () => openUpstash(server, { prefix, push: false }).driver;
  return {
    drivers: [open(), open()],
    clock,
    advance: (ms) => ms < 0 ? Promise.resolve(clock.set(clock.now() + ms)) : clock.advance(ms),
    async [Symbol.asyncDispose]() {
      const { reads } = server.replica;
      await server[Symbol.asyncDispose]();
      assert.equal(reads, 0, "no read went to the replica");
    },
  };
}

conformance(Deno.test, harness);

Deno.test("a read from the replica would show", async () => {
  await using server = await startStale();
  const { send } = openTransport(server, { timeoutMs: 10_000, clock: systemClock });
  const key = crypto.randomUUID();
  assert.equal(await send(["SET", key, "1"], "test"), "OK");
  assert.equal(await send(["GET", key], "test"), null);
  assert.equal(server.replica.reads, 1);
});
