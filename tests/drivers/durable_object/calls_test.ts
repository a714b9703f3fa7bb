import assert from "node:assert/strict";
import { startWorker } from "../../support/workerd/mod.ts";

const worker = await startWorker({
  entry: "tests/drivers/durable_object/entries/calls.ts",
  objects: { STORE: "Store", PLAIN: "Plain" },
  withoutSqlite: ["PLAIN"],
});
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

// deno-lint-ignore no-explicit-any -- each scene has its own answer
async function play(scene: string): Promise<any> {
  const response = await worker.fetch(`/${scene}`);
  const text = await response.text();
  assert(response.ok, text);
  return JSON.parse(text);
}

Deno.test("a wait in memory has one socket, which also carries hints after a reset and while the object sleeps", async () => {
  const { asleep, ...hot }: Record<string, Record<string, unknown>> = await play("hot");
  for (const { tookMs, ...seen } of Object.values(hot)) {
    console.log(`woken after ${tookMs} ms`);
    assert.deepEqual(seen, { open: 1, whileWaiting: 0, left: 0, result: "hello" });
  }
  console.log(`the object that slept came into memory ${asleep!.instances} times`);
  assert.equal(asleep!.hints, 1);
});

Deno.test("a socket that is closing makes no call fail", async () => {
  assert.deepEqual(await play("closing"), { sockets: 1, answer: ["value"] });
});

Deno.test("with shards, what needs one object is refused if it has several", async () => {
  assert.deepEqual(await play("shards"), {
    apart: "invalid_value",
    together: "done",
    one: "done",
    list: "invalid_value",
    sweep: "invalid_value",
    purge: "invalid_value",
    none: "invalid_value",
    // It calls no object.
    claimOfNone: { claimed: [], unknown: [], nextDueMs: null, now: null, more: false },
    // A claim by IDs goes to all objects of the workflows.
    woken: { claimed: 3, finished: 3, suspended: 0 },
    // The rest of one object, of which one workflow sends to another object.
    swept: 2,
    refused: ["invalid_value"],
    listed: ["a1 SUCCESS", "a2 SUCCESS", "a3 PENDING", "a4 SUCCESS"],
  });
});

Deno.test("a value that a row cannot hold is refused, and input and output of 1 MiB fit, but not two messages", async () => {
  const { together: [together], ...others } = await play("large");
  assert.deepEqual(others, {
    mebibyte: 2 ** 20 - 10,
    refused: "value_too_large",
    status: "PENDING",
    sentAlone: "done",
    sentTogether: "value_too_large",
  });
  const { bytes, message, ...error } = together;
  assert.deepEqual(error, { code: "value_too_large", limit: 2_000_000 });
  assert.match(message, /^Encoding the input and output of the workflow together: it has \d+ bytes/);
  assert(bytes > 3_000_000 && bytes < 3_000_100);
});

Deno.test("a stub, anything else that is no namespace, and a class without SQLite are refused", async () => {
  const { stub, driver, nothing, name, plain } = await play("wrong");
  assert.match(stub, /^invalid_value: .* is a stub, and must be the namespace/);
  for (const other of [driver, nothing]) assert.match(other, /^invalid_value: .* must be a namespace/);
  assert.match(name, /^invalid_value: .*`name`/);
  assert.deepEqual(plain, [
    "Durable Object: the object's class must be among `new_sqlite_classes` in the migrations",
    false,
  ]);
});
