import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "../../../core/driver/driver.ts";
import { MIGRATIONS } from "../../../drivers/postgres/migrations.ts";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { guestUrl, openPool, postgresTest } from "./support/postgres.ts";
import { GUEST, postgresUrl } from "./support/server.ts";
import { quoted } from "./support/store.ts";
import { rejection } from "../../support/rejection.ts";

const url = await postgresUrl();
const [first, second] = [await openPool(url), await openPool(url)];
const guests = await openPool(await guestUrl(first, url));

const CREATE = { workflowId: "w", name: "order", input: "null", owner: "owner", leaseMs: 60_000 };

/**
 * Registers a test with the name of a missing schema. The name needs quotes, and the schema is
 * dropped after the test.
 */
function test(name: string, run: (schema: string) => Promise<void>): void {
  postgresTest(name, async () => {
    const schema = `it's a "Schema" ${crypto.randomUUID()}`;
    try {
      await run(schema);
    } finally {
      await first.query(`drop schema if exists ${quoted(schema)} cascade`);
    }
  });
}

test("first calls over many connections at once create one schema", async (schema) => {
  const drivers = Array.from({ length: 20 }, (_, index) => postgresDriver(index % 2 ? first : second, { schema }));
  const created = await Promise.all(
    drivers.map((driver, index) => driver.create({ ...CREATE, workflowId: `w${index % 5}`, owner: `${index}` })),
  );
  assert.equal(created.filter(({ created }) => created).length, 5);
  const { rows } = await first.query(`select version from ${quoted(schema)}.migrations order by version`);
  assert.deepEqual(rows.map(({ version }) => version), MIGRATIONS.map((_, index) => index + 1));
});

test("two schemas side by side do not see each other", async (schema) => {
  const other = `${schema}, other`;
  const drivers = [postgresDriver(first, { schema }), postgresDriver(second, { schema: other })];
  const fill = async (driver: Driver, index: number) => {
    await driver.create({ ...CREATE, input: `${index}` });
    await driver.send([{ destinationId: "w", topic: "", messageId: "m", dedupeKey: "m", value: "1" }]);
  };
  await Promise.all(drivers.map(fill));
  await drivers[0]?.control({ workflowId: "w", action: "cancel" });
  const found = await Promise.all(drivers.map((driver) => driver.readWorkflow("w")));
  assert.deepEqual(found.map((workflow) => [workflow?.input, workflow?.status]), [["0", "CANCELLED"], [
    "1",
    "PENDING",
  ]]);
  await second.query(`drop schema ${quoted(other)} cascade`);
});

test("a role that may not create schemas migrates one that was made for it", async (schema) => {
  const driver = postgresDriver(guests, { schema });
  assert.match(String((await rejection(driver.create(CREATE))).cause), /permission denied for database/);
  await first.query(`create schema ${quoted(schema)}`);
  await first.query(`grant usage, create on schema ${quoted(schema)} to ${GUEST}`);
  assert.equal((await driver.create(CREATE)).created, true);
});

test("a role that may create nothing works on a complete schema, and may call migrate()", async (schema) => {
  await postgresDriver(first, { schema }).migrate();
  await first.query(`grant usage on schema ${quoted(schema)} to ${GUEST}`);
  await first.query(`grant select, insert, update, delete on all tables in schema ${quoted(schema)} to ${GUEST}`);
  const driver = postgresDriver(guests, { schema });
  await driver.migrate();
  assert.equal((await driver.create(CREATE)).created, true);
});

test("a connection that the server ends is a retryable error, and the next call works", async (schema) => {
  const driver = postgresDriver(first, { schema });
  await driver.create(CREATE);
  const locker = await second.connect();
  await locker.query(`begin; lock table ${quoted(schema)}.workflows`);
  const reading = rejection(driver.readWorkflow("w"));
  await ended(schema);
  await locker.query("rollback");
  locker.release();
  const error = await reading;
  assert.deepEqual([error.retryable, error.message], [true, "Postgres: readWorkflow failed (SQLSTATE 57P01)"]);
  assert.equal((await driver.readWorkflow("w"))?.workflowId, "w");
});

/** Ends the connections whose statement on the schema waits for a lock. */
async function ended(schema: string): Promise<void> {
  const text =
    `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and strpos(query, $1) > 0`;
  for (let rows = 0; rows === 0;) rows = (await second.query(text, [quoted(schema)])).rows.length;
}

const UNREACHABLE: Record<string, (wrong: URL) => void> = {
  "SQLSTATE 28P01": (wrong) => wrong.password = "hunter2",
  "SQLSTATE 3D000": (wrong) => wrong.pathname = "/somewhere else",
  "ECONNREFUSED": (wrong) => wrong.port = "1",
};

for (const [shown, change] of Object.entries(UNREACHABLE)) {
  postgresTest(`an unreachable database is an error (${shown}) without the password`, async () => {
    const wrong = new URL(url);
    change(wrong);
    const pool = new pg.Pool({ connectionString: wrong.href });
    const error = await rejection(postgresDriver(pool).readWorkflow("w"));
    await pool.end();
    assert.equal(error.message, `Postgres: readWorkflow failed (${shown})`);
    assert.equal(error.retryable, shown === "ECONNREFUSED");
    assert(!Deno.inspect(error, { depth: 20, showHidden: true }).includes(`:${wrong.password}@`));
  });
}
