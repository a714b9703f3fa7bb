/**
 * Rows as the SDKs of Go, Python and Java write them, and rows that are rare.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dbosClient } from "../../../dbos/mod.ts";
import { connected } from "../../http/support/hop.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** Go's default format. */
const goJson = (value: unknown) => btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))));

/** A pickle of `"secret"`, in base64. */
const PICKLE = "gASVCgAAAAAAAACMBnNlY3JldJQu";
const END = "__DBOS_STREAM_CLOSED__";

/** Inserts a workflow, with its payloads where the version keeps them. */
async function insertWorkflow(
  { pool }: Setting,
  row: { id: string; status: string; format: string | null; input?: string; output?: string; error?: string },
): Promise<void> {
  const { id, status, format, input = null, output = null, error = null } = row;
  const { rows: [{ split }] } = await pool.query("select to_regclass('dbos.workflow_input') is not null as split");
  await pool.query(
    `insert into dbos.workflow_status (workflow_uuid, name, status, serialization, recovery_attempts, inputs, output, error)
     values ($1, 'flow', $2, $3, 1, $4, $5, $6)`,
    split ? [id, status, format, null, null, null] : [id, status, format, input, output, error],
  );
  if (split) {
    if (input !== null) {
      await pool.query("insert into dbos.workflow_input (workflow_uuid, inputs) values ($1, $2)", [id, input]);
    }
    await pool.query("insert into dbos.workflow_output (workflow_uuid, output, error) values ($1, $2, $3)", [
      id,
      output,
      error,
    ]);
  }
}

async function insertEvent({ pool }: Setting, id: string, key: string, value: string, format: string | null) {
  await pool.query(
    "insert into dbos.workflow_events (workflow_uuid, key, value, serialization) values ($1, $2, $3, $4)",
    [
      id,
      key,
      value,
      format,
    ],
  );
}

async function insertStream(
  { pool }: Setting,
  id: string,
  rows: [offset: number, value: string, format: string | null][],
) {
  for (const [offset, value, format] of rows) {
    await pool.query(
      `insert into dbos.streams (workflow_uuid, key, "offset", value, serialization) values ($1, 's', $2, $3, $4)`,
      [id, offset, value, format],
    );
  }
}

/** Registers the tests. */
export function rowsSuite(settings: readonly Setting[]): void {
  testEach(
    settings,
    "rows of Go: base64 of JSON, nil, a symbolic error name, a bare end of a stream",
    async (setting) => {
      const { client } = setting;
      const id = "go-1";
      const row = { id, status: "SUCCESS", format: "DBOS_JSON" };
      await insertWorkflow(setting, { ...row, input: goJson({ n: "ü" }), output: goJson([1, null, "✓"]) });
      await insertEvent(setting, id, "nil", "__DBOS_NIL", "DBOS_JSON");
      await insertEvent(setting, id, "e", goJson({ a: 1 }), "DBOS_JSON");
      await insertStream(setting, id, [[0, goJson("x"), "DBOS_JSON"], [1, END, ""], [2, goJson("late"), "DBOS_JSON"]]);
      assert.deepEqual(await client.result(id), [1, null, "✓"]);
      assert.deepEqual((await client.status(id)).input, { n: "ü" });
      assert.equal(await client.getEvent(id, "nil"), null);
      assert.deepEqual(await client.getEvent(id, "e"), { a: 1 });
      assert.deepEqual(await client.readStream(id, "s").collect(), { values: ["x"], closed: true, nextOffset: 1 });
      const error = JSON.stringify({ name: "WorkflowCancelled", message: "gone", code: 7, data: { at: 1 } });
      await insertWorkflow(setting, { id: "go-2", status: "ERROR", format: "portable_json", error });
      assert.deepEqual((await client.status("go-2")).error, {
        name: "WorkflowCancelled",
        message: "gone",
        fields: { code: 7, data: { at: 1 } },
      });
    },
  );

  testEach(settings, "rows of Python: pickles are shown as such, portable ones are read", async (setting) => {
    const { client } = setting;
    await insertWorkflow(setting, {
      id: "py-1",
      status: "SUCCESS",
      format: "py_pickle",
      input: PICKLE,
      output: PICKLE,
    });
    await assert.rejects(client.result("py-1"), (error: Error & { code: string }) => {
      assert.equal(error.code, "unreadable_value");
      assert.match(error.message, /Python's pickle; let the workflow write portable values/);
      assert(!error.message.includes(PICKLE));
      return true;
    });
    const info = await client.status("py-1");
    assert.deepEqual([info.unreadable, "output" in info], [["input", "output"], false]);
    await insertEvent(setting, "py-1", "e", PICKLE, "py_pickle");
    const [event] = await client.events("py-1");
    assert.deepEqual([event!.key, event!.unreadable, "value" in event!], ["e", true, false]);
    const decoding = dbosClient(setting.pool, { decoders: { py_pickle: (text) => `pickle of ${text.length}` } });
    assert.equal(await decoding.result("py-1"), `pickle of ${PICKLE.length}`);

    const input = JSON.stringify({ positionalArgs: [1], namedArgs: { currency: "EUR" } });
    const error = JSON.stringify({ name: "ValueError", message: "no", code: null, data: null });
    await insertWorkflow(setting, { id: "py-2", status: "ERROR", format: "portable_json", input, error });
    const failed = await client.status("py-2");
    assert.deepEqual(failed.input, { positionalArgs: [1], namedArgs: { currency: "EUR" } });
    assert.deepEqual(failed.error, { name: "ValueError", message: "no" });
    await insertStream(setting, "py-2", [[0, "1", "portable_json"], [1, JSON.stringify(END), "portable_json"]]);
    assert.deepEqual(await client.readStream("py-2", "s").collect(), { values: [1], closed: true, nextOffset: 1 });
  });

  testEach(settings, "rows of Java: types of Jackson are refused, and portable ones are read", async (setting) => {
    const { client } = setting;
    const output = `["java.util.HashMap",{"a":1}]`;
    await insertWorkflow(setting, { id: "java-1", status: "SUCCESS", format: "java_jackson", output });
    await assert.rejects(client.result("java-1"), /Jackson with Java's types/);
    await insertWorkflow(setting, { id: "java-2", status: "SUCCESS", format: "portable_json", output: `{"a":1}` });
    assert.deepEqual(await client.result("java-2"), { a: 1 });
  });

  testEach(settings, "values without a format, and workflows of other statuses", async (setting) => {
    const { client } = setting;
    const marked = `{"json":"1970-01-01T00:00:00.000Z","meta":{"values":["Date"]},"__dbos_serializer":"superjson"}`;
    await insertWorkflow(setting, { id: "old-1", status: "SUCCESS", format: null, output: marked });
    assert.deepEqual(await client.result("old-1"), new Date(0));
    await insertWorkflow(setting, { id: "old-2", status: "SUCCESS", format: null, output: "own bytes" });
    await assert.rejects(client.result("old-2"), { code: "unreadable_value" });
    await insertWorkflow(setting, { id: "old-3", status: "RETRIES_EXCEEDED", format: "portable_json" });
    assert.equal((await client.status("old-3")).status, "MAX_RECOVERY_ATTEMPTS_EXCEEDED");
    await assert.rejects(client.result("old-3"), { code: "workflow_failed" });
    const { workflows } = await client.list({ status: "MAX_RECOVERY_ATTEMPTS_EXCEEDED", idPrefix: "old-" });
    assert.deepEqual(workflows.map(({ workflowId }) => workflowId), ["old-3"]);
  });

  testEach(
    settings,
    "a stream with gaps, as a fork leaves it, is read without a value lost or twice",
    async (setting) => {
      const { client } = setting;
      await insertWorkflow(setting, { id: "fork", status: "SUCCESS", format: "portable_json", output: "1" });
      const at = [1, 2, 5, 6, 9];
      await insertStream(setting, "fork", at.map((offset) => [offset, `"v${offset}"`, "portable_json"]));
      const entries = await Array.fromAsync(client.readStream(`fork`, "s").entries());
      assert.deepEqual(entries, at.map((offset) => ({ offset, value: `v${offset}` })));
      const later = await Array.fromAsync(client.readStream("fork", "s", { from: 3 }).entries());
      assert.deepEqual(later.map(({ offset }) => offset), [5, 6, 9]);
      assert.equal((await client.readStream("fork", "s", { from: 10 }).collect()).nextOffset, 10);
      const remote = connected(client);
      for (const wait of [true, false]) {
        assert.deepEqual(await Array.fromAsync(remote.readStream("fork", "s", { wait }).entries()), entries);
        const { values, nextOffset } = await remote.readStream("fork", "s", { from: 3, wait }).collect();
        assert.deepEqual([values, nextOffset], [["v5", "v6", "v9"], 10]);
      }
    },
  );

  testEach(settings, "names with separators, quotes and emoji belong to one workflow and one key", async (setting) => {
    const { client, pool } = setting;
    const id = `a::b '"\\💡`;
    await insertWorkflow(setting, { id, status: "PENDING", format: "portable_json" });
    await insertEvent(setting, id, "k::l", "1", "portable_json");
    assert.equal(await client.getEvent(id, "k::l"), 1);
    const { messageId } = await client.send(id, "m", { topic: "t::u", idempotencyKey: "x::y" });
    assert.equal(messageId, `x::y::${id}`);
    const { messages: [message] } = await client.messages(id);
    assert.deepEqual([message!.topic, message!.idempotencyKey, message!.value], ["t::u", "x::y", "m"]);
    assert.equal((await client.list({ idPrefix: "a::b '" })).workflows.length, 1);
    await pool.query("delete from dbos.workflow_status where workflow_uuid = $1", [id]);
  });

  testEach(settings, "a large page of a stream is cut, and read on", async (setting) => {
    const { client, pool } = setting;
    await insertWorkflow(setting, { id: "large", status: "SUCCESS", format: "portable_json", output: "1" });
    await pool.query(
      `insert into dbos.streams (workflow_uuid, key, "offset", value, serialization)
       select 'large', 's', n, to_json(repeat('x', 400000))::text, 'portable_json' from generate_series(0, 9) n`,
    );
    const pages = await Array.fromAsync(client.readStreamPages("large", "s"));
    assert.deepEqual(pages.map(({ values }) => values.length), [3, 3, 3, 1]);
    assert.equal(pages.at(-1)!.nextOffset, 10);
  });
}
