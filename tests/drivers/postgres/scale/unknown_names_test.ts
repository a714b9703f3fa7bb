/**
 * Claims among many due workflows whose names the process does not know, as after a deployment that
 * dropped a workflow.
 *
 * @module
 */

import assert from "node:assert/strict";
import { blocksRead } from "../../../../bench/scale/postgres/reads.ts";
import { postgresDriver } from "../../../../drivers/postgres/mod.ts";
import { claimIds } from "../../../../conformance/driven_run.ts";
import { claimRequest, createRequest } from "../../../../conformance/requests.ts";
import { openPool, postgresTest } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

const WORKFLOWS = 20_000;

/** What a claim reads that finds a few, and a little more. A search among all reads hundreds. */
const MAX_BLOCKS = 100;

const oldest = await oldestPostgresUrl();
const pools = { newest: await openPool(await postgresUrl()), oldest: oldest === null ? null : await openPool(oldest) };

for (const [version, pool] of Object.entries(pools)) {
  if (pool === null) continue;
  postgresTest(
    `a claim among ${WORKFLOWS} due workflows of unknown names reads as little as among none (${version})`,
    async () => {
      const schema = `Unknown ${crypto.randomUUID()}`;
      const session = await pool.connect();
      const driver = postgresDriver(session, { schema });
      try {
        await driver.migrate();
        // More than one name of each kind, and one between them.
        await session.query(
          `insert into ${quoted(schema)}.workflows
          (id, name, status, phase, epoch, due_at, waiting_until, created_at, updated_at, input)
         select 'w' || n, (array['dropped', 'old'])[n % 2 + 1] || ' ' || n % 3, 'PENDING', kind.phase, 1, n,
           case kind.phase when 'suspended' then n end, n, n, 'null'
         from generate_series(1, $1::bigint) as n,
           lateral (select case n % 4 when 0 then 'ready' when 1 then 'suspended' else 'parked' end as phase) as kind`,
          [WORKFLOWS],
        );
        await session.query(`analyze ${quoted(schema)}.workflows`);
        const names = ["m", "none", "z"];
        const look = () => driver.claim(claimRequest({ names, limit: 2 }));
        await look(); // Plans the statements.
        let unknown: string[] = [];
        const blocks = await blocksRead(session, schema, async () => ({ unknown } = await look()));
        assert.deepEqual(unknown.toSorted(), ["dropped 0", "dropped 1", "dropped 2", "old 0", "old 1", "old 2"]);
        assert(blocks <= MAX_BLOCKS, `${blocks} blocks`);
        for (const id of ["1", "2", "3"]) {
          await driver.create(createRequest(id, { name: id === "2" ? "m" : "z", leaseMs: null }));
        }
        const taken = [await claimIds(driver, { names, limit: 2 }), await claimIds(driver, { names, limit: 2 })];
        assert.deepEqual(taken, [["1", "2"], ["3"]]);
      } finally {
        await session.query(`drop schema if exists ${quoted(schema)} cascade`);
        session.release();
      }
    },
  );
}
