/**
 * The setting of tests of the Neon driver under faults: PostgreSQL, a local Neon, a relay in front
 * of it, and drivers that use the relay.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../../../core/driver/driver.ts";
import { type NeonDriverOptions, openNeon } from "../../../../drivers/neon/driver.ts";
import type { PushConnection, PushTiming } from "../../../../drivers/push.ts";
import { atNeon, Backstage, SAFE_BYTES } from "./harness.ts";
import { type NeonServer, startNeonServer } from "../server/mod.ts";
import { CountingClock } from "../../../support/patience.ts";
import { postgresUrl } from "../../postgres/support/server.ts";
import { EAGER, quoted } from "../../postgres/support/store.ts";
import { type Relay, startRelay } from "../../../support/relay.ts";

export { rejection } from "../../../support/rejection.ts";

/** The connection string of the tests' PostgreSQL. */
export const POSTGRES = await postgresUrl();

/** Options of {@linkcode Setting.open}. */
export interface OpenOptions extends NeonDriverOptions {
  /** Default: faster than for users. */
  readonly timing?: Partial<PushTiming>;
  /** In place of the endpoint of the tests. */
  readonly connectionString?: string;
}

/** A driver with push, and its push. */
export interface Opened {
  readonly driver: Driver & Required<Pick<Driver, "watch">>;
  readonly push: PushConnection;
}

/** What a test gets. */
export interface Setting {
  readonly server: NeonServer;
  /** A relay in front of the server. The drivers go through it. */
  readonly relay: Relay;
  /** The test's schema, which is migrated. */
  readonly schema: string;
  /** Opens a driver. The test ends after its push has closed its connections. */
  open(options?: OpenOptions): Opened;
  /** Sends a query through another server. */
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

/** Returns how many connections the database knows as listeners. */
export async function listeners({ query, schema }: Setting): Promise<number> {
  const { rows } = await query(`select id from ${quoted(schema)}.listeners`);
  return rows.length;
}
