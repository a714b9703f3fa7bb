import assert from "node:assert/strict";
import { systemClock } from "../../core/time/clock.ts";
import { dbosClient } from "../../dbos/mod.ts";
import { openDbosOverQueryable } from "../../dbos/open.ts";
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

/** The tables of a DBOS that keeps inputs and outputs with the workflow. */
const OLD_TABLES = `create table dbos.workflow_status (workflow_uuid text primary key, status text, name text,
  created_at bigint default 1, updated_at bigint default 1, serialization text, recovery_attempts bigint default 1,
  inputs text, output text, error text);
create table dbos.notifications (message_uuid text primary key, destination_uuid text, topic text, message text,
  serialization text, created_at_epoch_ms bigint default 1);
create table dbos.operation_outputs (workflow_uuid text, function_id int, completed_at_epoch_ms bigint);`;

/** What a newer DBOS adds to them. */
const NEW_TABLES = `create table dbos.workflow_input (workflow_uuid text primary key, inputs text);
create table dbos.workflow_output (workflow_uuid text primary key, output text, error text);`;

async function inSchema(run: (schema: string, send: (text: string) => Promise<unknown>) => Promise<void>) {
  const schema = `dbos ${crypto.randomUUID()}`;
  const send = (text: string) => pool.query(text.replaceAll("dbos.", `"${schema}".`));
  await pool.query(`create schema "${schema}"`);
  await send(OLD_TABLES);
  try {
    await run(schema, send);
  } finally {
    await pool.query(`drop schema "${schema}" cascade`);
  }
}

const insert = (id: string) =>
  `insert into dbos.workflow_status (workflow_uuid, status, name, serialization)
   values ('${id}', 'SUCCESS', 'flow', 'portable_json');
   insert into dbos.workflow_input values ('${id}', '{"positionalArgs":["in"]}');
   insert into dbos.workflow_output values ('${id}', '"out"', null);`;

const operations = {
  result: async (client) => assert.equal(await client.result("new"), "out"),
  status: async (client) => {
    const { input, output } = await client.status("new");
    assert.deepEqual([input, output], ["in", "out"]);
  },
  list: async (client) => {
    const { workflows } = await client.list({ idPrefix: "new", include: "values" });
    assert.deepEqual(workflows.map(({ input, output }) => [input, output]), [["in", "out"]]);
  },
  delete: async (client, schema) => {
    await client.delete("new");
    for (const table of ["workflow_status", "workflow_input", "workflow_output"]) {
      const { rows } = await pool.query(`select 1 from "${schema}".${table} where workflow_uuid = 'new'`);
      assert.deepEqual([table, rows.length], [table, 0]);
    }
  },
} satisfies Record<string, (client: ReturnType<typeof dbosClient>, schema: string) => Promise<void>>;

for (const [name, operation] of Object.entries(operations)) {
  postgresTest(`${name} follows values that the app has moved since the first statement`, async () => {
    await inSchema(async (schema, send) => {
      await send(`insert into dbos.workflow_status (workflow_uuid, status, serialization, output)
        values ('old', 'SUCCESS', 'portable_json', '1')`);
      const client = dbosClient(pool, { schema });
      assert.equal((await client.status("old")).output, 1);
      await send(NEW_TABLES + insert("new"));
      await operation(client, schema);
      assert.equal(await client.result("old"), 1);
    });
  });
}

postgresTest("a database that lacks something is asked again after a minute", async () => {
  await inSchema(async (schema, send) => {
    let shiftMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + shiftMs };
    const { client } = openDbosOverQueryable(pool, { schema }, { clock });
    await send(NEW_TABLES + insert("w"));
    await send(`insert into dbos.notifications values ('m', 'w', null, '1', 'portable_json')`);
    assert.equal((await client.status("w")).unread, 1);
    await send("alter table dbos.notifications add column consumed boolean default true");
    assert.equal((await client.status("w")).unread, 1);
    shiftMs = 60_000;
    assert.equal((await client.status("w")).unread, 0);
    assert.deepEqual(
      (await client.messages("w", { state: "received", topic: "" })).messages.map(({ value }) => value),
      [
        1,
      ],
    );
  });
});

postgresTest("a delete whose answer is lost has deleted", async () => {
  await inSchema(async (schema, send) => {
    await send(NEW_TABLES + insert("w"));
    let lost = 0;
    const queryable = {
      async query(text: string, params?: unknown[]) {
        const answer = await pool.query(text, params);
        if (text.includes("delete from") && lost++ === 0) throw Object.assign(new Error("lost"), { code: "08006" });
        return answer;
      },
    };
    const client = dbosClient(queryable, { schema });
    await client.delete("w");
    assert.equal(lost, 2);
    await assert.rejects(client.delete("w"), { code: "workflow_not_found" });
  });
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
    ...["className", "configName", "partitionKey", "applicationVersion", "applicationName"].flatMap((option) =>
      ["", "a\0", "x".repeat(256), 1].map((text): [() => Promise<unknown>, string] => [
        () => client.start("flow", 1, { [option]: text }),
        "invalid_value",
      ])
    ),
    [() => client.getEvent("w", "e", { timeout: -1 }), "invalid_value"],
    [() => client.list({ limit: 0 }), "invalid_value"],
    [() => client.resume("w", { from: 1 }), "unsupported"],
    [() => client.cancel(""), "invalid_value"],
  ];
  for (const [operation, code] of refused) await assert.rejects(operation(), { code });
  assert.throws(() => client.readStream("w", "s", { from: -1 }), { code: "invalid_value" });
  assert.deepEqual(await client.sendAll([]), []);
  assert.deepEqual(statements, []);
  for (const schema of ["", "x".repeat(64), "a\0", "pg_dbos"]) {
    assert.throws(() => dbosClient(queryable, { schema }), { code: "invalid_value" });
  }
  assert.throws(() => dbosClient({} as never), { code: "invalid_value" });
  assert.throws(() => dbosClient("https://user:secret@host/db"), (error: Error) => !error.message.includes("secret"));
});
