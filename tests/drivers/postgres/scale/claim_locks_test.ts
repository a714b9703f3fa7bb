/**
 * What a claim of several names locks and reads.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import type pg from "pg";
import { postgresDriver } from "../../../../drivers/postgres/mod.ts";
import { claimRequest } from "../../../../conformance/requests.ts";
import { openPool, postgresTest } from "../support/postgres.ts";
import { postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

const LIMIT = 10;

const pool = await openPool(await postgresUrl());

/** Runs a test with some clients and with `counts` of ready workflows, the longest due of the first name first. */
function claimTest(
  name: string,
  counts: readonly number[],
  run: (
    test: { schema: string; clients: pg.PoolClient[]; claim: (client: pg.PoolClient) => Promise<string[]> },
  ) => Promise<
    void
  >,
): void {
  postgresTest(name, async () => {
    const schema = `Claims ${crypto.randomUUID()}`;
    const clients = [await pool.connect(), await pool.connect(), await pool.connect()];
    const names = counts.map((_, index) => `name ${index}`);
    const claim = async (client: pg.PoolClient) => {
      const request = claimRequest({ names, limit: LIMIT, owner: crypto.randomUUID() });
      const { claimed } = await postgresDriver(client, { schema }).claim(request);
      return claimed.map(({ workflow }) => workflow.workflowId);
    };
    try {
      await postgresDriver(pool, { schema }).migrate();
      const requests = names.flatMap((name, index) =>
        Array.from({ length: counts[index]! }, (_, n) => ({ workflowId: `${name} ${n}`, name, input: "1" }))
      );
      for (let from = 0; from < requests.length; from += 1_000) {
        const page = requests.slice(from, from + 1_000).map((it) => ({ ...it, owner: "o", leaseMs: null }));
        await pool.query(`select ${quoted(schema)}.create_v1($1::text::jsonb)`, [JSON.stringify(page)]);
      }
      // Each has a due time of its own. Those of the first place of all names come first.
      await pool.query(`update ${quoted(schema)}.workflows set due_at = 1 + split_part(id, ' ', 3)::integer * 100
        + split_part(id, ' ', 2)::integer`);
      await run({ schema, clients, claim });
    } finally {
      for (const client of clients) {
        await client.query("rollback");
        client.release();
      }
      await pool.query(`drop schema if exists ${quoted(schema)} cascade`);
    }
  });
}

claimTest(
  "claims of 20 names at once lock only what they lease, and each takes the longest due that is left",
  Array.from({ length: 20 }, () => 20),
  async ({ schema, clients: [a, b, observer], claim }) => {
    const free = async () => {
      const { rows } = await observer!.query(
        `select count(*)::int as free from (
           select from ${quoted(schema)}.workflows where phase = 'ready' for update skip locked
         ) as f`,
      );
      return rows[0].free;
    };
    for (const [index, client] of [a!, b!].entries()) {
      await client.query("begin");
      const expected = Array.from({ length: LIMIT }, (_, n) => `name ${index * LIMIT + n} 0`);
      assert.deepEqual((await claim(client)).toSorted(), expected.toSorted());
      assert.equal(await free(), 400 - (index + 1) * LIMIT);
    }
  },
);

claimTest(
  "a claim of two names does not read the backlog of either name",
  [5_000, 5_000],
  async ({ schema, clients: [client], claim }) => {
    await client!.query(`vacuum analyze ${quoted(schema)}.workflows`);
    await client!.query("begin");
    const blocks = async () => {
      const { rows } = await client!.query(
        "select pg_stat_get_xact_blocks_fetched(to_regclass($1))::int as blocks",
        [`${quoted(schema)}.workflows`],
      );
      return rows[0].blocks;
    };
    const before = await blocks();
    assert.equal((await claim(client!)).length, LIMIT);
    const read = await blocks() - before;
    assert(read < 200, `${read} blocks`);
  },
);
