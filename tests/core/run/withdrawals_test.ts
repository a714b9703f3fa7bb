import assert from "node:assert/strict";
import type { CommitRequest } from "../../../core/driver/driver.ts";
import { workflow } from "../../../core/workflow.ts";
import { countedSignal, gate, onCommit, settle, setup } from "../setup.ts";

/** What the commits did at each position, as in `0 receive`. */
function watched(requests: CommitRequest[]): string[] {
  return requests.flatMap(({ operations }) => operations.map(({ position, type }) => `${position} ${type}`));
}

Deno.test("a wait that is withdrawn before it was sent is never looked at", async () => {
  const { world, driver } = await setup();
  const requests: CommitRequest[] = [];
  const flow = workflow("flow", async (ctx) => {
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [ctx.recv("a", { signal }), ctx.recv("b", { signal })];
    controller.abort("enough");
    return await Promise.all([...waits, ctx.recv("c", { signal })].map((it) => it.catch((reason) => reason)));
  });
  const { parley } = world.isolate(0, [flow], { driver: onCommit(driver, (it) => void requests.push(it)) });
  const handle = await parley.start(flow);
  for (const topic of ["a", "b", "c"]) await handle.send(1, { topic });
  assert.deepEqual(await world.until(handle.result()), ["enough", "enough", "enough"]);
  assert.deepEqual(watched(requests), ["0 record", "1 record", "2 record"]);
  assert.equal((await handle.status()).unread, 3);
});

Deno.test("a look that is under way when its wait is withdrawn may still take the message", async () => {
  for (const isThere of [true, false]) {
    const { world, driver } = await setup();
    const { open, opened } = gate();
    const controller = new AbortController();
    const requests: CommitRequest[] = [];
    const holding = onCommit(driver, async (request) => {
      requests.push(request);
      if (requests.length > 1) return;
      controller.abort(new Error("enough"));
      await opened;
    });
    const flow = workflow("flow", async (ctx) => await ctx.recv("a", { signal: controller.signal }));
    const { parley } = world.isolate(0, [flow], { driver: holding, hotWait: "1m" });
    const handle = await parley.start(flow);
    if (isThere) await handle.send("first", { topic: "a" });
    await settle();
    assert.deepEqual(watched(requests), ["0 receive"]);
    open();
    const result = await world.until(handle.result().catch(({ cause }) => cause.message));
    assert.equal(result, isThere ? "first" : "enough");
    assert.deepEqual(watched(requests).slice(0, 2), ["0 receive", "0 record"]);
    assert.equal(watched(requests).filter((it) => it === "0 receive").length, 1);
  }
});

Deno.test("any number of waits add one listener to their signal, which ends with them or with the run", async () => {
  const { world } = await setup();
  const { signal, listeners, added } = countedSignal();
  const flow = workflow("flow", async (ctx) => {
    await Promise.all(Array.from({ length: 100 }, (_, n) => ctx.recv(`t${n}`, { signal, timeout: 0, otherwise: n })));
    assert.equal(listeners(), 0);
    return await Promise.all([1, 2].map((n) => ctx.recv(`${n}`, { signal })));
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "1s" });
  const handle = await parley.start(flow);
  await world.untilTrue(() => added() === 2);
  assert.equal(listeners(), 1);
  await world.pass(2_000);
  await world.until(parley.idle());
  assert.equal((await handle.status()).status, "PENDING");
  assert.equal(listeners(), 0, "the workflow is suspended");
  for (const topic of ["1", "2"]) await handle.send(topic, { topic });
  assert.deepEqual(await world.until(handle.result()), ["1", "2"]);
  await world.until(parley.idle());
  assert.equal(listeners(), 0);
});

Deno.test("a crash between the abort and its record leaves the wait open, and the next run withdraws it", async () => {
  const { world } = await setup();
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    runs++;
    const controller = new AbortController();
    const news = ctx.recv("news", { signal: controller.signal });
    await ctx.step("work", () => {});
    if (runs === 1) dying.driver.kill();
    controller.abort(new Error("enough"));
    return await news.catch((error) => error.message);
  });
  const dying = world.isolate(0, [flow], { lease: "5s" });
  const handle = await dying.parley.start(flow, undefined, { workflowId: "w" }).catch(() => undefined);
  void handle;
  await settle(50);
  await world.pass(6_000);
  const { parley } = world.isolate(1, [flow]);
  await world.until(parley.sweep());
  assert.equal(await world.until(parley.result("w")), "enough");
  assert.equal(runs, 2);
  await dying.parley.close({ timeout: 0 }).catch(() => {});
});
