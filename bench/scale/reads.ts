/**
 * How much of a schema statements have to look at.
 *
 * @module
 */

import type { Queryable } from "../../drivers/postgres/mod.ts";

/** Blocks of tables and indexes that were looked at since the server was set up, wherever they were. */
async function blocks(queryable: Queryable, schema: string): Promise<number> {
  // What this session has counted so far.
  await queryable.query("select pg_stat_force_next_flush()");
  const { rows: [row] } = await queryable.query(
    `select sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0))::float8 as blocks
     from pg_statio_user_tables where schemaname = $1`,
    [schema],
  );
  return Number(row?.blocks);
}

/** How many blocks a call looks at; an 8 KiB page of a table or an index is one, each time that it is looked at. */
export async function blocksRead(queryable: Queryable, schema: string, call: () => Promise<unknown>): Promise<number> {
  const before = await blocks(queryable, schema);
  await call();
  return await blocks(queryable, schema) - before;
}
