/**
 * Statements that node-postgres prepares.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import { ValidationError } from "../../../../core/errors.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { begin } from "../../../../conformance/driven_run.ts";
import { record } from "../../../../conformance/operations.ts";
import { postgresTest } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

const urls = { newest: await postgresUrl(), oldest: await oldestPostgresUrl() };

/** Makes a run with two commits, and returns what the connection has prepared. */
async function preparedBy(url: string, prepare: boolean | undefined): Promise<string[]> {
  const schema = `Prepared ${crypto.randomUUID()}`;
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    const run = await begin(postgresDriver(pool, { schema, ...(prepare !== undefined && { prepare }) }), "w");
    for (const position of [0, 1]) await run.held([record(position, "1")]);
    const { rows } = await pool.query("select statement from pg_prepared_statements where name like 'parley%'");
    return rows.map(({ statement }) => /\.([a-z_]+)_v1/.exec(statement)?.[1] ?? statement).toSorted();
  } finally {
    await pool.query(`drop schema if exists ${quoted(schema)} cascade`);
    await pool.end();
  }
}

for (const [version, url] of Object.entries(urls)) {
  if (url === null) continue;
  postgresTest(`a pool of node-postgres prepares each statement once for a connection (${version})`, async () => {
    assert.deepEqual(await preparedBy(url, undefined), ["create_one", "record_one"]);
    assert.deepEqual(await preparedBy(url, true), ["create_one", "record_one"]);
    assert.deepEqual(await preparedBy(url, false), []);
  });
}

postgresTest(
  "where sessions do not keep what was prepared, a call is sent again, and nothing is prepared",
  async () => {
    for (const code of ["26000", "42P05"]) {
      const schema = `Prepared ${crypto.randomUUID()}`;
      const pool = new pg.Pool({ connectionString: urls.newest });
      let prepared = 0;
      // As a session that another client has used, behind a pooler.
      const behind: Queryable & { Client: typeof pg.Client } = {
        Client: pg.Client,
        query: (query, params) => {
          if (typeof query === "string") return pool.query(query, params);
          prepared += 1;
          return Promise.reject(Object.assign(new Error("no such statement"), { code }));
        },
      };
      try {
        const run = await begin(postgresDriver(behind, { schema }), "w");
        await run.held([record(0, "1")]);
        assert.equal(prepared, 1);
      } finally {
        await pool.query(`drop schema if exists ${quoted(schema)} cascade`);
        await pool.end();
      }
    }
  },
);

postgresTest("a schema that was dropped and made again is no obstacle to prepared statements", async () => {
  const schema = `Prepared ${crypto.randomUUID()}`;
  const pool = new pg.Pool({ connectionString: urls.newest, max: 1 });
  try {
    for (let n = 0; n < 2; n++) {
      await begin(postgresDriver(pool, { schema }), "w");
      await pool.query(`drop schema ${quoted(schema)} cascade`);
    }
  } finally {
    await pool.end();
  }
});

Deno.test("`prepare: true` is refused for another client than those of node-postgres", () => {
  const client = { query: () => Promise.resolve({ rows: [] }) };
  assert.throws(() => postgresDriver(client, { prepare: true }), ValidationError);
  postgresDriver(client, { prepare: false });
});
