/**
 * What tests of the Neon driver under faults are given: PostgreSQL, a local Neon, a relay in front of it, and drivers that go through.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../../../core/driver/driver.ts";
import { type NeonDriverOptions, openNeon } from "../../../../drivers/neon/driver.ts";
import type { PushConnection, PushTiming } from "../../../../drivers/push.ts";
import { atNeon, Backstage, EAGER, SAFE_BYTES } from "./harness.ts";
import { type NeonServer, startNeonServer } from "../server/mod.ts";
import { CountingClock } from "../../../support/patience.ts";
import { postgresUrl } from "../../postgres/support/server.ts";
import { quoted } from "../../postgres/support/store.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";

export { rejection } from "../../../support/rejection.ts";

/** Where the tests' PostgreSQL is. */
export const POSTGRES = await postgresUrl();

/** Options of {@linkcode Setting.open}. */
export interface OpenOptions extends NeonDriverOptions {
  /** Faster than users have it, without it. */
  readonly timing?: Partial<PushTiming>;
  /** In place of the tests' own. */
  readonly connectionString?: string;
}

/** A driver, and the push of one that has it. */
export interface Opened {
  readonly driver: Driver & Required<Pick<Driver, "watch">>;
  readonly push: PushConnection;
}

/** What a test is given. */
export interface Setting {
  readonly server: NeonServer;
  /** In front of the server; the drivers go through it. */
  readonly relay: Relay;
  /** A schema of its own, which is migrated. */
  readonly schema: string;
  /** Opens a driver; the test ends when its push has closed what it opened. */
  open(options?: OpenOptions): Opened;
  /** Queries through another server. */
  query: Backstage["query"];
  /** How many timers the drivers have set. */
  timers(): number;
}

/** Registers a test. */
export function neonDriverTest(name: string, run: (setting: Setting) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await startNeonServer({ postgres: POSTGRES, maxBytes: SAFE_BYTES });
    await using relay = await startRelay({ target: server });
    const backstage = new Backstage(POSTGRES);
    await using _used = await backstage.use();
    const schema = `neon "faults" ${crypto.randomUUID()}`.slice(0, 50);
    const clock = new CountingClock();
    const pushes: PushConnection[] = [];
    const open = ({ timing, connectionString = atNeon(POSTGRES), ...options }: OpenOptions = {}): Opened => {
      const endpoint = { http: relay.through(server.http), websocket: relay.through(server.websocket) };
      const { driver, push } = openNeon(connectionString, { schema, endpoint, ...options }, {
        clock,
        timing: { ...EAGER, ...timing },
      });
      if (push) pushes.push(push);
      return { driver: driver as Opened["driver"], push: push as PushConnection };
    };
    try {
      await open({ push: false }).driver.migrate();
      await run({
        server,
        relay,
        schema,
        open,
        query: (...args) => backstage.query(...args),
        timers: () => clock.pending,
      });
      await Promise.all(pushes.map(({ idle }) => idle));
      assert.equal(clock.pending, 0, "timers were left behind");
    } finally {
      await backstage.query(`drop schema if exists ${quoted(schema)} cascade`);
    }
  });
}

/** How many connections are known to listen. */
export async function listeners({ query, schema }: Setting): Promise<number> {
  const { rows } = await query(`select id from ${quoted(schema)}.listeners`);
  return rows.length;
}
