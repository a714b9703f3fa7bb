/**
 * Eight processes over one store, with clocks hours apart, which are killed at random. `PARLEY_FLEET_SECONDS` says for how long they are; 15 otherwise.
 *
 * @module
 */

import { neonDriver } from "../../drivers/neon/mod.ts";
import { runFleet } from "../support/fleet/mod.ts";
import { openDriver } from "../support/fleet/postgres.ts";
import { startNeonServer } from "../support/neon/mod.ts";
import { atNeon } from "../support/neon_harness.ts";
import { postgresUrl } from "../support/postgres_server.ts";
import { type RelayAction, type RelayMoment, startRelay } from "../support/relay.ts";

const url = await postgresUrl();
const killForMs = 1_000 * Number(Deno.env.get("PARLEY_FLEET_SECONDS") ?? 15);
const workflows = Math.round(2_000 * Math.max(1, killForMs / 15_000));
const timeoutMs = killForMs + 120_000;

function schema(): string {
  return `fleet ${crypto.randomUUID()}`;
}

Deno.test("eight processes over Postgres that are killed at random lose nothing and do nothing twice", async () => {
  const argument = JSON.stringify({ url, schema: schema() });
  const { driver, close } = openDriver(argument);
  try {
    const module = new URL("../support/fleet/postgres.ts", import.meta.url);
    report(await runFleet({ module, argument, driver, workflows: workflows / 2, killForMs, timeoutMs }));
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
  const actions: RelayAction[] = [{ kind: "cut" }, { kind: "cut", ending: "reset" }, { kind: "delay", until: 300 }];
  const moments: RelayMoment[] = ["connect", "before", "after", "head", "body"];
  report(
    await runFleet({
      module: new URL("../support/fleet/neon.ts", import.meta.url),
      argument,
      // This process is not disturbed: it counts and checks.
      driver: neonDriver(atNeon(url), { schema: name, endpoint: server, push: false }),
      workflows,
      killForMs,
      timeoutMs,
      disturb: () => relay.fault({ at: pick(moments), action: pick(actions), times: 9 }),
    }),
  );
});

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

function report({ killed, tookMs }: { killed: number; tookMs: number }): void {
  console.log(`${killed} processes were killed; it took ${Math.round(tookMs / 1_000)} s`);
}
