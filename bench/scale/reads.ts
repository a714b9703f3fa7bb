/**
 * How much of a schema statements have to look at.
 *
 * @module
 */

import type { Queryable } from "../../drivers/postgres/mod.ts";

/** Blocks of tables and indexes that this session has looked at. What it has counted is kept until its transaction ends. */
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
 * How many blocks a call looks at; an 8 KiB page of a table or an index is one, each time that it is looked at.
 *
 * @param session One connection, through which the call goes too. It has no transaction open; this opens one.
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
