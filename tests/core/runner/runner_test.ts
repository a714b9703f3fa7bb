import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import { gate, gatedWorkflow, ids, settle, setup } from "../setup.ts";

const waiting = workflow("waiting", async (ctx) => await ctx.recv<number>());

const messages = (count: number) => ids(count).map((destinationId) => ({ destinationId, message: 1 }));

Deno.test("sweep() runs 16 workflows at a time, claims at most its limit, and settles after the last run", async () => {
  const { world } = await setup();
  const { flow, open, at } = gatedWorkflow();
  const { parley } = world.isolate(0, [flow]);
  for (const workflowId of ids(40)) await parley.start(flow, false, { workflowId, enqueue: true });
  let swept: unknown;
  const sweeping = parley.sweep({ limit: 30 }).then((result) => swept = result);
  await settle();
  assert.deepEqual([at.now, swept], [16, undefined]);
  open();
  await world.until(sweeping);
  assert.deepEqual(swept, { claimed: 30, finished: 30, suspended: 0 });
  assert.deepEqual([at.most, at.ever], [16, 30]);
  const { claimed } = await world.until(parley.sweep({ limit: 1 }));
  assert.equal(claimed, 1);
});

Deno.test("sweep() with a limit settles after its run", async () => {
  const { world } = await setup();
  const { flow, open } = gatedWorkflow();
  const { parley } = world.isolate(0, [flow]);
  await parley.start(flow, false, { enqueue: true });
  let swept = false;
  const sweeping = parley.sweep({ limit: 1 }).then(() => swept = true);
  await settle();
  assert.equal(swept, false);
  open();
  await world.until(sweeping);
});

Deno.test("sweep() claims nothing after its signal has aborted", async () => {
  const { world } = await setup();
  const { flow, open, at } = gatedWorkflow();
  const { parley } = world.isolate(0, [flow]);
  for (const workflowId of ids(20)) await parley.start(flow, false, { workflowId, enqueue: true });
  const controller = new AbortController();
  const sweeping = parley.sweep({ signal: controller.signal });
  await settle();
  controller.abort();
  open();
  assert.deepEqual(await world.until(sweeping), { claimed: 16, finished: 16, suspended: 0 });
  assert.equal(at.ever, 16);
  assert.equal((await parley.sweep({ signal: controller.signal })).claimed, 0);
});

Deno.test("inline wakes continue all workflows that a send made due, 16 at a time, without delaying it", async () => {
  const { world } = await setup();
  const { flow, open, at } = gatedWorkflow();
  const { parley } = world.isolate(0, [flow]);
  for (const workflowId of ids(40)) await parley.start(flow, true, { workflowId });
  await world.until(parley.idle());
  await parley.sendAll(messages(40));
  assert.equal(at.ever, 0, "nothing runs inside the send");
  await settle();
  assert.equal(at.now, 16);
  open();
  await world.until(parley.idle());
  assert.deepEqual([at.most, at.ever], [16, 40]);
});

Deno.test("inline wakes that fail or find no workflow free their slots and fail no send", async () => {
  const { world, driver } = await setup();
  const other = world.isolate(1, [waiting], { wake: "none" });
  for (const workflowId of ids(40)) await other.parley.start(waiting, undefined, { workflowId });
  await world.until(other.parley.idle());
  let broken = false;
  const flaky: Driver = {
    ...driver,
    claim: (request) => broken ? Promise.reject(new DriverError("away", { retryable: false })) : driver.claim(request),
  };
  const own = workflow("own", async (ctx) => await ctx.recv<number>());
  const { parley, errors } = world.isolate(0, [own], { driver: flaky });
  await parley.start(own, undefined, { workflowId: "own" });
  await world.until(parley.idle());
  await parley.sendAll(messages(20));
  await world.until(parley.idle());
  assert.deepEqual(errors, []);
  broken = true;
  await parley.sendAll(messages(40).slice(20));
  await world.until(parley.idle());
  assert(errors.length > 0 && errors.every((error) => (error as Error).message === "away"));
  broken = false;
  await parley.send("own", 7);
  await world.until(parley.idle());
  assert.equal((await parley.handle("own").status()).output, 7);
});

Deno.test("inline wakes continue all 5,000 workflows that one event made due", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.getEvent("source", "state"));
  const source = workflow("source", async (ctx) => (await ctx.recv(), await ctx.setEvent("state", 1)));
  const { parley, errors } = world.isolate(0, [flow, source]);
  for (const workflowId of ids(5_000)) await parley.start(flow, undefined, { workflowId });
  await parley.start(source, undefined, { workflowId: "source" });
  await world.until(parley.idle());
  await parley.send("source", 1);
  await world.until(parley.idle());
  for (const workflowId of ["w0", "w2500", "w4999"]) assert.equal((await parley.handle(workflowId).status()).output, 1);
  assert.equal((await parley.list({ status: "PENDING", limit: 1 })).workflows.length, 0);
  assert.deepEqual(errors, []);
});

Deno.test("inline wakes are bounded, and the excess is left to a sweep and reported once", async () => {
  const { world, driver } = await setup();
  const { open, opened } = gate();
  let claims = 0;
  const flooded: Driver = {
    ...driver,
    send: async (messages) =>
      ({ ...await driver.send(messages), woken: ids(100_100) }) as Awaited<ReturnType<Driver["send"]>>,
    claim: async () => (claims++, await opened, { claimed: [], unknown: [], nextDueMs: null, now: 0, more: false }),
  };
  const { parley, errors } = world.isolate(0, [waiting], { driver: flooded });
  await parley.start(waiting, undefined, { workflowId: "w" });
  await settle();
  await parley.send("w", 1);
  await parley.send("w", 2);
  assert.equal(errors.length, 1);
  assert.match((errors[0] as Error).message, /^Continuing workflows: 100000 wait .* 100 more are left to a sweep$/);
  assert.equal(claims, 1);
  open();
  await world.until(parley.idle());
  assert(claims > 100_000 / 16, `${claims}`);
});

Deno.test("wake gets the IDs of due workflows, and its failure is reported and fails no send", async () => {
  const { world } = await setup();
  const woken: string[][] = [];
  for (const fails of [() => Promise.reject(new Error("no route")), () => assert.fail("no route")]) {
    woken.length = 0;
    const wake = (workflowIds: string[]) => (woken.push(workflowIds), fails());
    const { parley, errors } = world.isolate(0, [waiting], { wake });
    const { workflowId } = await parley.start(waiting, undefined);
    await world.until(parley.idle());
    await parley.send(workflowId, 1);
    await world.until(parley.idle());
    assert.deepEqual(woken, [[workflowId]]);
    assert.deepEqual(errors.map((error) => (error as Error).message), ["no route"]);
    assert.deepEqual(await world.until(parley.wake([workflowId, "nobody"])), { claimed: 1, finished: 1, suspended: 0 });
  }
});

Deno.test("waitUntil gets all background work, which never rejects", async () => {
  const { world } = await setup();
  const given: Promise<unknown>[] = [];
  const { parley, driver, errors } = world.isolate(0, [waiting], { waitUntil: (work) => void given.push(work) });
  const { workflowId } = await parley.start(waiting, undefined);
  assert.equal(given.length, 1);
  await world.until(Promise.all(given));
  assert.deepEqual((await parley.handle(workflowId).status()).waiting?.operations, ['recv ""']);
  await parley.send(workflowId, 1);
  assert(given.length > 1, "the wake");
  await world.until(parley.idle());
  await parley.start(waiting, undefined);
  driver.kill();
  await world.until(parley.idle());
  assert.equal(errors.length, 1);
  await Promise.all(given);
});

Deno.test("waits of one isolate need no poll, because the isolate's own hints end them without push", async () => {
  const { world, driver, clock } = await setup();
  const { watch: _, ...poll } = driver;
  const owner = workflow("owner", async (ctx) => {
    await ctx.recv();
    await ctx.setEvent("state", 1);
    await ctx.recv();
    await ctx.writeStream("log", 2);
    const child = await ctx.start(waiting, undefined, { workflowId: "child" });
    return await child.result();
  });
  const { parley } = world.isolate(0, [owner, waiting], { driver: poll, hotWait: "1h" });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  await settle();
  const handle = await parley.start(owner, undefined, { enqueue: true });
  await settle();
  const event = handle.getEvent("state");
  const first = handle.readStream("log")[Symbol.asyncIterator]();
  const value = first.next();
  const result = handle.result();
  await settle();
  const start = clock.now();
  for (const to of [handle.workflowId, handle.workflowId, "child"]) {
    await parley.send(to, 7);
    await settle(60);
  }
  assert.deepEqual([await event, (await value).value, await result], [1, 2, 7]);
  const cancelled = await parley.start(waiting, undefined);
  await settle();
  const reading = cancelled.readStream("log").collect();
  await settle();
  await cancelled.cancel();
  assert.equal((await reading).closed, true);
  assert.equal(clock.now(), start);
  await first.return?.();
  controller.abort();
  await working;
});

Deno.test("cancel() in the isolate of the run aborts a running step at once, without push", async () => {
  const { world, driver, clock } = await setup();
  const { watch: _, ...poll } = driver;
  let reason: { code?: string } | undefined;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step(
      "slow",
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(reason = signal.reason))),
    );
  });
  const { parley } = world.isolate(0, [flow], { driver: poll });
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.cancel();
  await settle();
  assert.equal(reason?.code, "workflow_cancelled");
  assert.equal(clock.pending, 0);
});

Deno.test("a waitUntil or an onError that throws does not affect a run", async () => {
  const { world } = await setup();
  const options = {
    waitUntil: () => assert.fail("no request any more"),
    onError: () => assert.fail("no log any more"),
  };
  const { parley, driver } = world.isolate(0, [waiting], options);
  const handle = await parley.start(waiting, undefined);
  await world.until(parley.idle());
  await handle.send(5);
  assert.equal(await world.until(handle.result()), 5);
  await parley.start(waiting, undefined);
  driver.kill();
  await world.until(parley.idle());
});

Deno.test("a workflow that exhausts its recoveries wakes those that wait for its result or watch it", async () => {
  const { world, driver, clock } = await setup();
  const { watch: _, ...poll } = driver;
  const stuck = workflow("stuck", async () => await new Promise(() => {}), { maxRecoveryAttempts: 0 });
  const parent = workflow("parent", async (ctx) => {
    const child = await ctx.start(stuck, undefined, { workflowId: "stuck" });
    return await child.result().catch((error) => error.code);
  });
  const known = world.isolate(0, [parent, stuck], { wake: "none", driver: poll });
  const dying = world.isolate(1, [stuck], { lease: "5s" });
  const handle = await known.parley.start(parent, undefined);
  await world.until(known.parley.idle());
  dying.parley.sweep().catch(() => {});
  await settle();
  dying.driver.kill();
  await world.pass(5_001);
  const { parley, errors } = world.isolate(0, [parent, stuck], { driver: poll });
  const result = parley.handle("stuck").result().catch((error) => error.code);
  await settle();
  const start = clock.now();
  assert.deepEqual(await parley.sweep({ limit: 1 }), { claimed: 1, finished: 1, suspended: 0 });
  await parley.idle();
  assert.deepEqual([await result, (await handle.status()).output, clock.now() - start], [
    "workflow_failed",
    "workflow_failed",
    0,
  ]);
  assert.equal((await handle.status()).status, "SUCCESS");
  assert.deepEqual(errors.map((error) => (error as { code?: string }).code), ["workflow_failed"]);
});
