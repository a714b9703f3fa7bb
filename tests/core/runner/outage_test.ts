import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import type { Parley } from "../../../core/parley.ts";
import { workflow } from "../../../core/workflow.ts";
import { settle, setup } from "../setup.ts";

const flow = workflow("flow", async (ctx) => {
  await ctx.recv();
  await ctx.writeStream("log", 1);
  await ctx.setEvent("state", 2);
  return 3;
});

/** A driver whose reads fail while the store is away. */
function outages(driver: Driver) {
  const state: { error: unknown } = { error: undefined };
  const fail = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => (...args: A): Promise<R> =>
    state.error ? Promise.reject(state.error) : call(...args);
  const { readWorkflow, readEvent, readStream } = driver;
  return {
    state,
    driver: { ...driver, readWorkflow: fail(readWorkflow), readEvent: fail(readEvent), readStream: fail(readStream) },
  };
}

const away = new DriverError("away", { retryable: true });

const waits: Record<string, (parley: Parley, signal?: AbortSignal) => Promise<unknown>> = {
  "result()": (parley, signal) => parley.handle("w").result({ ...(signal && { signal }) }),
  "getEvent()": (parley, signal) => parley.getEvent("w", "state", { timeout: "1h", ...(signal && { signal }) }),
  "readStream()": async (parley, signal) =>
    (await parley.readStream("w", "log", { ...(signal && { signal }) }).collect()).values[0],
  "watchEvent()": async (parley, signal) => {
    let last: unknown;
    for await (const value of parley.watchEvent("w", "state", { ...(signal && { signal }) })) last = value;
    return last;
  },
};

for (const [name, wait] of Object.entries(waits)) {
  Deno.test(`${name} outlives an outage of the store, which is reported once`, async () => {
    for (const before of [true, false]) {
      const { world, clock, driver } = await setup();
      const faulty = outages(driver);
      const running = world.isolate(1, [flow], { hotWait: "1h" }).parley;
      await running.start(flow, undefined, { workflowId: "w" });
      const { parley, errors } = world.isolate(0, [], { driver: faulty.driver });
      // The outage begins at the first look, or later.
      if (before) faulty.state.error = away;
      const waiting = wait(parley);
      await settle();
      faulty.state.error = away;
      await world.pass(60_000);
      await running.send("w", 1);
      await world.pass(30_000);
      assert.deepEqual(errors, [away]);
      faulty.state.error = undefined;
      const start = clock.now();
      const expected = { "result()": 3, "getEvent()": 2, "watchEvent()": 2 }[name] ?? 1;
      assert.equal(await world.until(waiting), expected);
      assert(clock.now() - start < 15_000);
      await world.until(running.idle());
      assert.equal(clock.pending, 0);
    }
  });

  Deno.test(`${name} ends with its signal during an outage, and with a permanent fault`, async () => {
    const { world, clock, driver } = await setup();
    const faulty = outages(driver);
    const { parley } = world.isolate(0, [flow], { driver: faulty.driver, hotWait: "1h" });
    await parley.start(flow, undefined, { workflowId: "w" });
    const controller = new AbortController();
    const first = wait(parley, controller.signal).then(() => assert.fail("found"), (error) => error.message);
    const second = wait(parley).then(() => assert.fail("found"), (error) => error.message);
    await settle();
    faulty.state.error = away;
    await world.pass(60_000);
    controller.abort(new Error("left"));
    assert.equal(await first, "left");
    faulty.state.error = new DriverError("no such user", { retryable: false });
    await world.pass(15_000);
    assert.equal(await second, "no such user");
    await parley.close({ timeout: 0 });
    assert.equal(clock.pending, 0);
  });
}

Deno.test("a wait that times out during an outage rejects on time with the store's fault", async () => {
  const { world, clock, driver } = await setup();
  const faulty = outages(driver);
  const { parley } = world.isolate(0, [], { driver: faulty.driver });
  faulty.state.error = away;
  const start = clock.now();
  for (const timeout of [10_000, 10_123, 20_000]) {
    const from = clock.now();
    const waiting = parley.getEvent("w", "state", { timeout }).then(
      () => assert.fail("found"),
      (error) => [error, clock.now() - from],
    );
    await world.pass(timeout);
    await settle();
    assert.deepEqual(await waiting, [away, timeout]);
  }
  assert(clock.now() > start);
  await assert.rejects(world.until(parley.getEvent("w", "state", { timeout: 0 })), away);
  await world.pass(5_000);
  assert.equal(clock.pending, 0);
});

Deno.test("readStream() that does not wait ends with the store's fault", async () => {
  const { world, driver } = await setup();
  const faulty = outages(driver);
  const { parley, errors } = world.isolate(0, [], { driver: faulty.driver });
  faulty.state.error = away;
  await assert.rejects(world.until(parley.readStream("w", "log", { wait: false }).collect()), away);
  assert.deepEqual(errors, []);
});

Deno.test("300 readers report an outage of the store once", async () => {
  const { world, clock, driver } = await setup();
  const faulty = outages(driver);
  const { parley, errors } = world.isolate(0, [flow], { driver: faulty.driver, hotWait: "1h" });
  await parley.start(flow, undefined, { workflowId: "w" });
  const controller = new AbortController();
  const { signal } = controller;
  const readers = Array.from(
    { length: 300 },
    () => parley.readStream("w", "log", { signal }).collect().catch(() => {}),
  );
  await settle();
  for (let outage = 1; outage <= 2; outage++) {
    faulty.state.error = away;
    await world.pass(40_000);
    assert.equal(errors.length, outage);
    faulty.state.error = undefined;
    await world.pass(20_000);
  }
  controller.abort();
  await Promise.all(readers);
  await parley.close({ timeout: 0 });
  assert.equal(clock.pending, 0);
});
