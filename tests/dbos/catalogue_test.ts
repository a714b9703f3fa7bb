import assert from "node:assert/strict";
import { dbosClient } from "../../dbos/mod.ts";
import { openPool, postgresTest } from "../drivers/postgres/support/postgres.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";

const pool = await openPool(await postgresUrl());

const TABLES = `create table dbos.workflow_status (workflow_uuid text primary key, status text, name text);
create table dbos.notifications (message_uuid text primary key, destination_uuid text, topic text, message text);
create table dbos.workflow_events (workflow_uuid text, key text, value text);
create table dbos.streams (workflow_uuid text, key text, value text, "offset" int4);`;

postgresTest("a database without DBOS, or with one that is too old, is refused by each operation", async () => {
  for (const [tables, reason] of [["", /has no tables of DBOS/], [TABLES, /must use a newer DBOS/]] as const) {
    const schema = `old dbos ${crypto.randomUUID()}`;
    await pool.query(`create schema "${schema}"; ${tables.replaceAll("dbos.", `"${schema}".`)}`);
    const client = dbosClient(pool, { schema });
    const operations: (() => Promise<unknown>)[] = [
      () => client.send("w", 1),
      () => client.getEvent("w", "e"),
      () => client.readStream("w", "s").collect(),
      () => client.start("flow", 1),
      () => client.status("w"),
      () => client.list(),
      () => client.cancel("w"),
      () => client.messages("w"),
      () => client.events("w"),
    ];
    for (const operation of operations) {
      await assert.rejects(operation(), (error: Error & { code: string }) => {
        assert.equal(error.code, "unsupported");
        assert.match(error.message, reason);
        return true;
      });
    }
    await pool.query(`drop schema "${schema}" cascade`);
  }
});

Deno.test("bad input is refused before any statement", async () => {
  const statements: string[] = [];
  const queryable = { query: (text: string) => (statements.push(text), pool.query(text)) };
  const client = dbosClient(queryable, { maxValueBytes: 50 });
  const refused: [() => Promise<unknown>, string][] = [
    [() => client.send("", 1), "invalid_value"],
    [() => client.send("w", () => {}), "invalid_value"],
    [() => client.send("w", "x".repeat(50)), "value_too_large"],
    [() => client.send("w", 1, { topic: "x\0" }), "invalid_value"],
    [() => client.start("flow", 1, { priority: -1 }), "invalid_value"],
    [() => client.start("flow", 1, { delay: 1, at: 1 }), "invalid_value"],
    [() => client.start("flow", 1, { positionalArgs: [1] }), "invalid_value"],
    [() => client.start("flow", 1, { queue: "" }), "invalid_value"],
    [() => client.start("flow", "x".repeat(20)), "value_too_large"],
    [() => client.getEvent("w", "e", { timeout: -1 }), "invalid_value"],
    [() => client.list({ limit: 0 }), "invalid_value"],
    [() => client.resume("w", { from: 1 }), "unsupported"],
    [() => client.cancel(""), "invalid_value"],
  ];
  for (const [operation, code] of refused) await assert.rejects(operation(), { code });
  assert.throws(() => client.readStream("w", "s", { from: -1 }), { code: "invalid_value" });
  assert.deepEqual(await client.sendAll([]), []);
  assert.deepEqual(statements, []);
  for (const schema of ["", "x".repeat(64), "a\0"]) {
    assert.throws(() => dbosClient(queryable, { schema }), { code: "invalid_value" });
  }
  assert.throws(() => dbosClient({} as never), { code: "invalid_value" });
  assert.throws(() => dbosClient("https://user:secret@host/db"), (error: Error) => !error.message.includes("secret"));
});
