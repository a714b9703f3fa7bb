import assert from "node:assert/strict";
import { createRequest, newMessage } from "../../../conformance/requests.ts";
import { enqueue } from "../../../conformance/driven_run.ts";
import { atNeon } from "./support/harness.ts";
import { listeners, neonDriverTest, POSTGRES, rejection } from "./support/setting.ts";
import { until, Watching } from "../../support/patience.ts";
import { guestUrl } from "../postgres/support/postgres.ts";
import { GUEST } from "../postgres/support/server.ts";
import { quoted } from "../postgres/support/store.ts";

/** Names for schemas. With the prefix of the test, the last two have 63 bytes. */
const ODD_NAMES = [
  "Upper",
  'a"b',
  "it's",
  "$parley$",
  "back\\slash",
  "a.b",
  "%s",
  "\u{1F600}",
  "--",
  "x".repeat(58),
  "é".repeat(29),
];

neonDriverTest("a schema may have any name, for push as well", async ({ open, query }) => {
  for (const name of ODD_NAMES) {
    const schema = `neon ${name}`;
    const opened = open({ schema });
    try {
      await enqueue(opened.driver, "w");
      using watching = await Watching.live(opened, "inbox:w");
      await opened.driver.send([newMessage("w")]);
      await until(() => watching.hints === 2);
      const { rows } = await query("select nspname from pg_namespace where nspname = $1", [schema]);
      assert.equal(rows.length, 1, schema);
    } finally {
      await query(`drop schema if exists ${quoted(schema)} cascade`);
    }
  }
});

neonDriverTest(
  "two schemas side by side see neither each other nor each other's hints",
  async ({ open, schema, query }) => {
    const other = `${schema}, other`;
    try {
      const [a, b] = [open(), open({ schema: other })];
      await enqueue(a.driver, "w");
      assert.equal(await b.driver.readWorkflow("w"), null);
      await enqueue(b.driver, "w");
      using inA = await Watching.live(a, "inbox:w");
      using inB = await Watching.live(b, "inbox:w");
      await a.driver.send([newMessage("w")]);
      await until(() => inA.hints === 2);
      await b.driver.send([newMessage("w")]);
      await until(() => inB.hints === 2);
      assert.deepEqual([inA.hints, inB.hints], [2, 2]);
      await a.driver.control({ workflowId: "w", action: "cancel" });
      assert.equal((await b.driver.readWorkflow("w"))?.status, "ENQUEUED");
    } finally {
      await query(`drop schema if exists ${quoted(other)} cascade`);
    }
  },
);

neonDriverTest("a role that may create nothing works on a complete schema, with push", async (setting) => {
  const { open, query, schema } = setting;
  const connectionString = atNeon(await guestUrl({ query }, POSTGRES));
  const guest = open({ connectionString });
  assert.match(String((await rejection(guest.driver.readWorkflow("w"))).cause), /permission denied for schema/);
  await query(`grant usage on schema ${quoted(schema)} to ${GUEST}`);
  await query(`grant select, insert, update, delete on all tables in schema ${quoted(schema)} to ${GUEST}`);
  await guest.driver.migrate();
  assert.equal((await guest.driver.create(createRequest("w"))).created, true);
  using watching = await Watching.live(guest, "inbox:w");
  assert.equal(await listeners(setting), 1);
  await guest.driver.send([newMessage("w")]);
  await until(() => watching.hints === 2);
});

neonDriverTest(
  "a role that may not create schemas migrates one that was made for it",
  async ({ open, query, schema }) => {
    const other = `${schema}, other`;
    const { driver } = open({
      push: false,
      schema: other,
      connectionString: atNeon(await guestUrl({ query }, POSTGRES)),
    });
    const error = await rejection(driver.create(createRequest("w")));
    assert.deepEqual([error.retryable, error.message], [false, "Neon: migrate failed (SQLSTATE 42501)"]);
    try {
      await query(`create schema ${quoted(other)}`);
      await query(`grant usage, create on schema ${quoted(other)} to ${GUEST}`);
      assert.equal((await driver.create(createRequest("w"))).created, true);
    } finally {
      await query(`drop schema if exists ${quoted(other)} cascade`);
    }
  },
);
