import assert from "node:assert/strict";
import { neonTest, rejection } from "./setup.ts";

neonTest("batch: it is one transaction, with results in order", async ({ sql, server }) => {
  const results = await sql.transaction([
    sql`select txid_current()::text as id`,
    sql`select txid_current()::text as id`,
    sql`select 3 as id`,
  ]);
  assert.equal(results[0]?.[0]?.id, results[1]?.[0]?.id);
  assert.deepEqual(results[2], [{ id: 3 }]);
  assert.deepEqual([server.requests, server.statements], [1, 3]);
});

neonTest("batch: it runs at the requested isolation level and in the requested mode", async ({ sql, table }) => {
  const mode =
    sql`select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as read_only,
    current_setting('transaction_deferrable') as deferrable`;
  const [[serializable] = []] = await sql.transaction([mode], {
    isolationLevel: "Serializable",
    readOnly: true,
    deferrable: true,
  });
  assert.deepEqual(serializable, { level: "serializable", read_only: "on", deferrable: "on" });
  const [[plain] = []] = await sql.transaction([mode], { isolationLevel: "RepeatableRead" });
  assert.deepEqual(plain, { level: "repeatable read", read_only: "off", deferrable: "off" });
  const error = await rejection(
    sql.transaction([sql.query(`insert into ${table} default values`)], { readOnly: true }),
  );
  assert.equal(error.code, "25006");
});

neonTest("batch: the first error undoes all of it", async ({ sql, table, count, server }) => {
  const insert = () => sql.query(`insert into ${table} default values`);
  const error = await rejection(sql.transaction([insert(), sql`select 1/0`, insert()]));
  assert.equal(error.code, "22012");
  assert.equal(server.statements, 2);
  assert.equal(await count(), 0);
});

neonTest("batch: a failed commit is an error like another", async ({ sql, table, count }) => {
  await sql.query(`alter table ${table} add unique (value) deferrable initially deferred`);
  const insert = () => sql.query(`insert into ${table} (value) values ('same')`);
  assert.equal((await rejection(sql.transaction([insert(), insert()]))).code, "23505");
  assert.equal(await count(), 0);
});

neonTest("batch: a commit inside of it is kept, although the call rejects", async ({ sql, table, count }) => {
  await rejection(sql.transaction([sql.query(`insert into ${table} default values`), sql`commit`, sql`select 1/0`]));
  assert.equal(await count(), 1);
});

neonTest("batch: an empty batch has no results, and headers are echoed", async ({ post }) => {
  const headers = {
    "Neon-Batch-Isolation-Level": "ReadCommitted",
    "Neon-Batch-Read-Only": "true",
    "Neon-Batch-Deferrable": "yes",
  };
  const response = await post({ queries: [] }, headers);
  assert.deepEqual(await response.json(), { results: [] });
  assert.equal(response.headers.get("Neon-Batch-Isolation-Level"), "ReadCommitted");
  assert.equal(response.headers.get("Neon-Batch-Read-Only"), "true");
  assert.equal(response.headers.get("Neon-Batch-Deferrable"), null);
});
