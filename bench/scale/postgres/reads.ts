/**
 * Counts how much of a schema a statement reads.
 *
 * @module
 */

import type { Queryable } from "../../../drivers/postgres/mod.ts";

/**
 * Returns how many blocks of tables and indexes this session has read. The counters last until the
 * transaction ends.
 */
async function blocks(queryable: Queryable, schema: string): Promise<number> {
  const { rows: [row] } = await queryable.query(
    `select sum(pg_stat_get_xact_blocks_fetched(c.oid))::float8 as blocks
     from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind in ('r', 'i')`,
    [schema],
  );
  return Number(row?.blocks);
}

/**
 * Returns how many blocks a call reads. A block is an 8 KiB page of a table or an index, and counts
 * each time it is read.
 *
 * @param session The connection that the call uses too. It must have no open transaction, because
 * this function opens one.
 */
export async function blocksRead(session: Queryable, schema: string, call: () => Promise<unknown>): Promise<number> {
  await session.query("begin");
  try {
    const before = await blocks(session, schema);
    await call();
    return await blocks(session, schema) - before;
  } finally {
    await session.query("commit");
  }
}
