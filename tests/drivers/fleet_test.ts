/**
 * Eight processes over one store, with clocks hours apart, which are killed at random.
 * `PARLEY_FLEET_SECONDS` says for how long they are; 8 otherwise.
 *
 * @module
 */

import assert from "node:assert/strict";
import { systemClock } from "../../core/time/clock.ts";
import { neonDriver } from "../../drivers/neon/mod.ts";
import { upstashDriver } from "../../drivers/upstash/mod.ts";
import { openTransport } from "../../drivers/upstash/transport/open_transport.ts";
import { Parley } from "../../mod.ts";
import { runFleet } from "../support/fleet/mod.ts";
import { openDriver } from "../support/fleet/postgres.ts";
import type { UpstashArgument } from "../support/fleet/upstash.ts";
import { startNeonServer } from "./neon/server/mod.ts";
import { atNeon } from "./neon/support/harness.ts";
import { postgresUrl } from "./postgres/support/server.ts";
import { redisUrl } from "./upstash/support/redis_server.ts";
import { type RelayAction, type RelayMoment, startRelay } from "../support/relay.ts";
import { startUpstashServer } from "./upstash/server/mod.ts";
import { Redis } from "./upstash/server/redis.ts";
import { keysOf, removeKeys } from "./upstash/support/harness.ts";

const url = await postgresUrl();
const redis = await redisUrl();
const killForMs = 1_000 * Number(Deno.env.get("PARLEY_FLEET_SECONDS") ?? 8);
const workflows = Math.round(500 * Math.max(1, killForMs / 8_000));
// There are more workflows the longer processes are killed, and on a busy machine most of them are left over.
const timeoutMs = 3 * killForMs + 240_000;

const ACTIONS: RelayAction[] = [{ kind: "cut" }, { kind: "cut", ending: "reset" }, { kind: "delay", until: 300 }];
const MOMENTS: RelayMoment[] = ["connect", "before", "after", "head", "body"];

function schema(): string {
  return `fleet ${crypto.randomUUID()}`;
}

Deno.test("eight processes over Postgres that are killed at random lose nothing and do nothing twice", async () => {
  const argument = JSON.stringify({ url, schema: schema() });
  const { driver, close } = openDriver(argument);
  try {
    const module = new URL("../support/fleet/postgres.ts", import.meta.url);
    report(await runFleet({ module, argument, driver, workflows, killForMs, timeoutMs }));
  } finally {
    await close?.();
  }
});

Deno.test("eight processes over Neon that are killed at random, on a network that fails, lose nothing and do nothing twice", async () => {
  await using server = await startNeonServer({ postgres: url });
  await using relay = await startRelay({ target: server });
  const name = schema();
  const endpoint = { http: relay.through(server.http), websocket: relay.through(server.websocket) };
  const argument = JSON.stringify({ url: atNeon(url), schema: name, endpoint });
  report(
    await runFleet({
      module: new URL("../support/fleet/neon.ts", import.meta.url),
      argument,
      // This process is not disturbed: it counts and checks.
      driver: neonDriver(atNeon(url), { schema: name, endpoint: server, push: false }),
      workflows,
      killForMs,
      timeoutMs,
      disturb: () => relay.fault({ at: pick(MOMENTS), action: pick(ACTIONS), times: 9 }),
    }),
  );
});

/** Which processes have push, and whether Redis forgets its scripts now and then. */
const UPSTASH: Readonly<Record<string, { push: number; flushes: boolean }>> = {
  "over REST alone": { push: 0, flushes: false },
  "all of them with push": { push: 1, flushes: false },
  "some of them with push, whose scripts are flushed at random": { push: 0.5, flushes: true },
};

for (const [name, { push, flushes }] of Object.entries(UPSTASH)) {
  Deno.test(`eight processes over Upstash that are killed at random, ${name}, lose nothing and do nothing twice`, async () => {
    await using server = await startUpstashServer({ redisUrl: redis });
    await using relay = await startRelay({ target: server });
    const prefix = `fleet:${crypto.randomUUID()}`;
    const { token } = server;
    const argument: UpstashArgument = { url: relay.through(server.url), token, prefix, push };
    // This process is not disturbed: it counts and checks.
    const { send } = openTransport(server, { timeoutMs: 10_000, clock: systemClock });
    const driver = upstashDriver(server, { prefix, push: false });
    const disturb = () => {
      relay.fault({ at: pick(MOMENTS), action: pick(ACTIONS), times: 9 });
      if (flushes && Math.random() < 0.5) send(["SCRIPT", "FLUSH"], "test").catch(() => {});
    };
    try {
      const module = new URL("../support/fleet/upstash.ts", import.meta.url);
      report(
        await runFleet({
          module,
          argument: JSON.stringify(argument),
          driver,
          workflows,
          killForMs,
          timeoutMs,
          disturb,
        }),
      );
      await using parley = new Parley({ driver, wake: "none" });
      while (await parley.purge({ olderThan: 0 }) > 0);
      using connection = await Redis.connect(redis);
      // What claims have taken is kept until their leases are over, for the repeat of a claim.
      assert.deepEqual(
        (await keysOf(connection, prefix)).filter((key) => !key.startsWith(`${prefix}/claim/`)),
        [],
        "nothing is left over",
      );
    } finally {
      using connection = await Redis.connect(redis);
      await removeKeys(connection, prefix);
    }
  });
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

function report({ killed, tookMs }: { killed: number; tookMs: number }): void {
  console.log(`${killed} processes were killed; it took ${Math.round(tookMs / 1_000)} s`);
}
