/**
 * Claims while another transaction holds an old snapshot, so that nothing removes the index entries
 * of leases that are over.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import type pg from "pg";
import { blocksRead } from "../../../../bench/scale/postgres/reads.ts";
import type { Driver } from "../../../../core/driver/driver.ts";
import { postgresDriver } from "../../../../drivers/postgres/mod.ts";
import { claimRequest, createRequest, LEASE_MS } from "../../../../conformance/requests.ts";
import { openPool, postgresTest } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

/** So many that a search among them is remembered. */
const WORKFLOWS = 10_000;

/** What a claim that finds nothing reads, and a little more. */
const MAX_BLOCKS = 60;

const START_MS = 1_700_000_000_000;

/** A store after many short workflows. */
interface Setting {
  readonly driver: Driver;
  /** A session beside that of the driver, in no transaction. */
  readonly writer: pg.PoolClient;
  /** The table of workflows. */
  readonly table: string;
  /** Sets the store's clock, in milliseconds after the last of those workflows has begun. */
  at(ms: number): Promise<void>;
  /** Claims by due time, and returns the IDs. */
  claimed(): Promise<string[]>;
  /** How many blocks such a claim reads. */
  cost(): Promise<number>;
}

/** Registers a test for each version, in a store whose claims have just got cheap. */
function heldTest(name: string, run: (setting: Setting) => Promise<void>): void {
  for (const [version, pool] of Object.entries(pools)) {
    if (pool === null) continue;
    postgresTest(`${name} (${version})`, async () => {
      const schema = `Held ${crypto.randomUUID()}`;
      const [session, holder, writer] = [await pool.connect(), await pool.connect(), await pool.connect()];
      const table = `${quoted(schema)}.workflows`;
      const at = async (ms: number) => {
        const now = `create or replace function ${quoted(schema)}.now_ms() returns bigint language sql volatile as`;
        await session.query(`${now} 'select ${START_MS + ms}::bigint'`);
      };
      const driver = postgresDriver(session, { schema });
      const claimed = async () =>
        (await driver.claim(claimRequest())).claimed.map(({ workflow }) => workflow.workflowId).toSorted();
      const cost = () => blocksRead(session, schema, claimed);
      try {
        await driver.migrate();
        // Long before, because this claim may be slow and remember something.
        await at(-100_000);
        assert.deepEqual(await claimed(), []);
        await holder.query("begin isolation level repeatable read");
        await holder.query("select 1");
        await fill(session, table);
        await run({ driver, writer, table, at, claimed, cost });
      } finally {
        await holder.query("rollback");
        await session.query(`drop schema ${quoted(schema)} cascade`);
        for (const client of [session, holder, writer]) client.release();
      }
    });
  }
}

/** Writes workflows that have begun, one a millisecond, and ends them. */
async function fill(session: pg.PoolClient, table: string): Promise<void> {
  await session.query(
    `insert into ${table} (id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input)
     select 'short ' || n, 'order', 'PENDING', 'running', 1, n, at.ms + $3::bigint, at.ms + $3::bigint, $3::bigint, at.ms, at.ms, '1'
     from generate_series(1, $1::bigint) as n, lateral (select $2::bigint - $1::bigint + n as ms) as at`,
    [WORKFLOWS, START_MS, LEASE_MS],
  );
  await session.query(
    `update ${table} set status = 'SUCCESS', phase = 'ended', due_at = null, lease_until = null, lease_ms = null`,
  );
}

const oldest = await oldestPostgresUrl();
const pools = { newest: await openPool(await postgresUrl()), oldest: oldest === null ? null : await openPool(oldest) };

heldTest("a claim that finds nothing passes over dead leases twice, and then no more", async ({ at, cost }) => {
  await at(2_000);
  const first = await cost();
  assert(first > WORKFLOWS / 100, `${first} blocks, so the entries are there`);
  await cost();
  const later = await cost();
  assert(later < MAX_BLOCKS, `${later} blocks, and ${first} at first`);
});

heldTest("what a claim remembers hides no lease, whatever its length", async ({ driver, at, claimed }) => {
  await at(2_000);
  for (let n = 0; n < 3; n++) assert.deepEqual(await claimed(), []);
  for (const leaseMs of [LEASE_MS, LEASE_MS / 2, 3 * LEASE_MS]) {
    await driver.create(createRequest(`${leaseMs}`, { leaseMs }));
  }
  const { nextDueMs } = await driver.claim(claimRequest());
  assert.equal(nextDueMs, LEASE_MS / 2);
  await at(2_000 + 3 * LEASE_MS);
  assert.equal((await claimed()).length, 3);
});

heldTest("what a claim remembers holds only after the writes that were under way", async (setting) => {
  const { writer, at, claimed, table } = setting;
  await writer.query("begin");
  await writer.query(
    `insert into ${table} (id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input)
     values ('slow', 'order', 'PENDING', 'running', 1, 'slow', $1, $1, $2, 0, 0, '1')`,
    [START_MS + 10_000, LEASE_MS],
  );
  await at(2_000);
  for (let n = 0; n < 3; n++) assert.deepEqual(await claimed(), []);
  await writer.query("commit");
  for (let n = 0; n < 3; n++) assert.deepEqual(await claimed(), []);
  await at(10_000);
  assert.deepEqual(await claimed(), ["slow"]);
});

heldTest("what a claim remembers does not count after the clock has gone back", async ({ driver, at, claimed }) => {
  await at(2_000);
  for (let n = 0; n < 3; n++) assert.deepEqual(await claimed(), []);
  await at(-3_600_000);
  await driver.create(createRequest("w"));
  assert.deepEqual(await claimed(), []);
  await at(2_000);
  assert.deepEqual(await claimed(), ["w"]);
});

heldTest("what a claim remembers does not count after ten minutes", async ({ driver, at, claimed }) => {
  await at(2_000);
  for (let n = 0; n < 3; n++) assert.deepEqual(await claimed(), []);
  // No claim notices that the clock was wrong.
  await at(-3_600_000);
  await driver.create(createRequest("w"));
  await at(700_000);
  assert.deepEqual(await claimed(), ["w"]);
});
