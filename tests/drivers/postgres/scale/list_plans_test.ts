/**
 * Lists in a large store whose statistics are up to date. PostgreSQL 18 can skip through an index, and
 * its plan for a list then read and sorted all workflows.
 *
 * @module
 */

import assert from "node:assert/strict";
import { CALLS } from "../../../../bench/scale/postgres/calls.ts";
import { blocksRead } from "../../../../bench/scale/postgres/reads.ts";
import { fill, openStore, sizesOf } from "../../../../bench/scale/postgres/store.ts";
import { openPool, postgresTest } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

const WORKFLOWS = 100_000;
/** What a list of ten reads at most, with its rows. A list of what few have reads some hundreds. */
const MAX_BLOCKS = 150;
const MAX_SORTED_BLOCKS = 1_000;
const SORTED = /due workflows|prefix/;

const oldest = await oldestPostgresUrl();
const pools = { newest: await openPool(await postgresUrl()), oldest: oldest === null ? null : await openPool(oldest) };

for (const [version, pool] of Object.entries(pools)) {
  if (pool === null) continue;
  postgresTest(`no list among ${WORKFLOWS} workflows reads more than its page (${version})`, async () => {
    const schema = `Lists ${crypto.randomUUID()}`;
    const session = await pool.connect();
    try {
      const store = await openStore(session, schema);
      await fill(store, quoted(schema), { ...sizesOf(1_000), workflows: WORKFLOWS });
      // A bad deploy has parked all that wait, under a name of their own.
      await session.query(
        `update ${quoted(schema)}.workflows set name = 'parked', problem = '"problem"' where phase = 'suspended'`,
      );
      await session.query(`analyze ${quoted(schema)}.workflows`);
      const read: [string, number][] = [];
      for (const [name, make] of CALLS) {
        if (!name.startsWith("listWorkflows")) continue;
        const { run } = make(store, 0);
        await run(0); // Plans the statements.
        read.push([name, await blocksRead(session, schema, async () => await run(1))]);
      }
      assert(read.length > 10);
      const most = (name: string) => SORTED.test(name) ? MAX_SORTED_BLOCKS : MAX_BLOCKS;
      assert.deepEqual(read.filter(([name, blocks]) => blocks > most(name)), []);
    } finally {
      await session.query(`drop schema if exists ${quoted(schema)} cascade`);
      session.release();
    }
  });
}
