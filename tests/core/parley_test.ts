import assert from "node:assert/strict";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { workflow } from "../../core/workflow.ts";
import { settle, setup } from "./setup.ts";

const waiting = workflow("waiting", async (ctx) => await ctx.recv<number>());

Deno.test("sendAll() of nothing makes no call, and sendAll() refuses a repeated key only for one destination", async () => {
  const { world } = await setup();
  const { parley, driver } = world.isolate(0, []);
  assert.deepEqual(await parley.sendAll([]), []);
  assert.equal(driver.calls, 0);
  for (const workflowId of ["a", "b"]) await parley.start("waiting", null, { workflowId, enqueue: true });
  const keyed = (destinationId: string, topic: string) => ({ destinationId, topic, message: 1, idempotencyKey: "k" });
  const { calls } = driver;
  await assert.rejects(parley.sendAll([keyed("a", "t"), keyed("b", "t"), keyed("a", "u")]), {
    code: "idempotency_conflict",
    key: "k",
  });
  assert.equal(driver.calls, calls);
  const receipts = await parley.sendAll([keyed("a", "t"), keyed("b", "t")]);
  assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, false]);
  assert.notEqual(receipts[0]!.messageId, receipts[1]!.messageId);
  assert.deepEqual(await parley.sendAll([keyed("a", "t")]), [{ ...receipts[0], duplicate: true }]);
});

Deno.test("sendAll() with one unknown destination sends nothing, and names it", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(0, [waiting]);
  const handle = await parley.start(waiting, undefined);
  await world.until(parley.idle());
  const messages = [{ destinationId: handle.workflowId, message: 1 }, { destinationId: "nobody", message: 2 }];
  await assert.rejects(parley.sendAll(messages), { code: "workflow_not_found", workflowId: "nobody" });
  await settle();
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv ""']);
});

Deno.test("a caller's idempotency key never equals one of the library's own", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(0, []);
  await parley.start("waiting", null, { workflowId: "w", enqueue: true });
  const { messageId } = await parley.send("w", 1);
  for (const idempotencyKey of [`id:${messageId}`, messageId, `key:id:${messageId}`]) {
    assert.equal((await parley.send("w", 2, { idempotencyKey })).duplicate, false);
  }
});

Deno.test("getEvent() from outside waits a minute by default", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(0, []);
  const errors: { code?: string; timeoutMs?: number }[] = [];
  parley.getEvent("w", "e").catch((error) => errors.push(error));
  await world.pass(59_999);
  assert.equal(errors.length, 0);
  await world.pass(1);
  assert.deepEqual(errors.map(({ code, timeoutMs }) => [code, timeoutMs]), [["timeout", 60_000]]);
});

Deno.test("start() checks the input with the definition's schema, even if only the caller knows it", async () => {
  const { world } = await setup();
  const validate = (value: unknown) =>
    typeof value === "number" ? { value: value + 1 } : { issues: [{ message: "no" }] };
  const input: StandardSchemaV1<unknown, number> = { "~standard": { version: 1, vendor: "test", validate } };
  const flow = workflow("flow", (_ctx, n: number) => n, { input });
  const { parley } = world.isolate(0, []);
  await assert.rejects(parley.start(flow, "text" as unknown as number, { enqueue: true }), { code: "invalid_value" });
  assert.equal((await (await parley.start(flow, 1, { enqueue: true })).status()).input, 2);
  const knowing = world.isolate(1, [flow]).parley;
  await assert.rejects(knowing.start("flow", "text"), { code: "invalid_value" });
  assert.equal(await world.until((await knowing.start("flow", 1)).result()), 2);
});

Deno.test("handle.result() waits for a workflow that is only enqueued, within its timeout", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(0, []);
  const handle = await parley.start("waiting", null, { enqueue: true });
  await assert.rejects(handle.result({ timeout: 0 }), { code: "timeout", operation: "result", timeoutMs: 0 });
  await assert.rejects(world.until(handle.result({ timeout: "1s" })), { code: "timeout", timeoutMs: 1_000 });
  const result = handle.result();
  await world.isolate(1, [waiting]).parley.send(handle.workflowId, 5);
  await world.until(world.isolate(1, [waiting]).parley.sweep());
  assert.equal(await world.until(result), 5);
});

Deno.test("status() and list() show a thrown value that is not an error, and result() rejects with it as the cause", async () => {
  const { world } = await setup();
  for (
    const thrown of [null, undefined, "text", 5, { reason: 1 }, Object.assign(Object.create(null), { a: 1 }), [1], 1n]
  ) {
    const flow = workflow("flow", () => {
      throw thrown;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    const error = await world.until(handle.result().catch((error) => error));
    assert.deepEqual([error.code, error.cause], ["workflow_failed", thrown]);
    const { status, error: shown } = await handle.status();
    assert.equal(status, "ERROR");
    assert.equal(typeof shown?.message, "string");
  }
  const { workflows } = await world.isolate(1, []).parley.list({ status: "ERROR" });
  assert.equal(workflows.length, 8);
});

Deno.test("start() tells whether it made the workflow", async () => {
  const { world } = await setup();
  const flow = workflow("flow", () => "done");
  const { parley } = world.isolate(0, [flow]);
  const first = await parley.start(flow, undefined, { workflowId: "w" });
  const second = await parley.start(flow, undefined, { workflowId: "w" });
  assert.deepEqual([first.created, second.created], [true, false]);
  assert.equal(await world.until(second.result()), "done");
});

Deno.test("status() and result() by an ID equal those of a handle, and refuse an invalid ID", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(0, [waiting]);
  const handle = await parley.start(waiting, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  assert.deepEqual(await parley.status("w"), await handle.status());
  await parley.send("w", 5);
  assert.deepEqual(await world.until(Promise.all([parley.result<number>("w"), handle.result()])), [5, 5]);
  for (const call of [() => parley.status("none"), () => parley.result("none")]) {
    await assert.rejects(call, { code: "workflow_not_found" });
  }
  for (const call of [() => parley.status(""), () => parley.result("")]) {
    await assert.rejects(call, { code: "invalid_value" });
  }
});
