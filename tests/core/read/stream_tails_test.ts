import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { type Parley, workflow } from "../../../mod.ts";
import { countedWatches, gate, settle, setup } from "../setup.ts";

const READERS = 50;

const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<unknown>();
    if (value === "end") return;
    // All values in one write, which gives one hint.
    await Promise.all([value].flat().map((it) => ctx.writeStream("log", it)));
  }
});

type Read = Driver["readStream"];

/** A workflow that writes the values that it receives, and an isolate that reads streams through `read`. */
async function make({ push = true }: { push?: boolean } = {}) {
  const { world, clock, driver } = await setup();
  const { parley } = world.isolate(0, [scribe]);
  const handle = await parley.start(scribe, undefined, { workflowId: "w" });
  const counted = countedWatches(driver, { live: true });
  const at = { reads: 0, read: driver.readStream.bind(driver) as Read };
  const { watch, ...rest } = counted.driver;
  const readStream: Read = (request) => (at.reads++, at.read(request));
  const outside = world.isolate(1, [], { driver: { ...rest, readStream, ...(push && { watch: watch! }) } }).parley;
  const send = async (...values: unknown[]) => {
    await parley.sendAll(values.map((message) => ({ destinationId: "w", message })));
    await world.until(parley.idle());
  };
  await world.until(parley.idle());
  return { world, clock, driver, parley, handle, outside, send, at, open: counted.open };
}

/** Reads on, and collects the values. */
function follow(
  parley: Parley,
  seen: unknown[] = [],
  signal?: AbortSignal,
): { seen: unknown[]; ended: Promise<unknown> } {
  const ended = (async () => {
    for await (const { offset, value } of parley.readStream("w", "log", signal && { signal }).entries()) {
      seen.push([offset, value]);
    }
    seen.push("end");
  })().catch((error) => error);
  return { seen, ended };
}

Deno.test("readers that have caught up share one subscription, and one read for each value", async () => {
  const { outside, send, at, open, clock } = await make();
  const readers = Array.from({ length: READERS }, () => follow(outside));
  await settle();
  assert.deepEqual([at.reads, open()], [READERS, 1]);
  for (const value of ["a", "b", "c"]) await send(value);
  await settle();
  assert(at.reads <= READERS + 6, `${at.reads} reads`);
  await send("end");
  for (const { seen, ended } of readers) {
    await ended;
    assert.deepEqual(seen, [[0, "a"], [1, "b"], [2, "c"], "end"]);
  }
  assert.deepEqual([open(), clock.pending], [0, 0]);
});

Deno.test("readers that have caught up share the polls of a store without push", async () => {
  const { outside, world, at, send } = await make({ push: false });
  const readers = Array.from({ length: READERS }, () => follow(outside));
  await settle();
  await world.pass(20_000);
  assert(at.reads < READERS + 40, `${at.reads} reads`);
  await send("a", "end");
  await world.until(Promise.all(readers.map(({ ended }) => ended)));
  assert(readers.every(({ seen }) => seen.length === 2));
});

Deno.test("a reader misses no value and no end that others find while it looks for itself", async () => {
  for (const message of ["b", "end"]) {
    const { outside, send, at, driver } = await make();
    await send("a");
    const before = follow(outside);
    await settle();
    const held = gate();
    at.read = async (request) => {
      const page = await driver.readStream(request);
      await held.opened;
      return page;
    };
    const late = follow(outside);
    await settle();
    at.read = driver.readStream.bind(driver);
    await send(message);
    await settle();
    held.open();
    await settle();
    // No time has passed since, so no poll can have found it.
    assert.equal(before.seen.length, 2);
    assert.deepEqual(late.seen, before.seen);
    await send("end").catch(() => {});
    await Promise.all([before.ended, late.ended]);
  }
});

Deno.test("a reader that leaves during a shared look does not affect the others", async () => {
  const { outside, send, at, driver } = await make();
  const leaving = new AbortController();
  const [gone, stays] = [follow(outside, [], leaving.signal), follow(outside)];
  await settle();
  const held = gate();
  at.read = async (request) => (await held.opened, await driver.readStream(request));
  await send("a");
  await settle();
  leaving.abort("gone");
  assert.equal(await gone.ended, "gone");
  held.open();
  await settle();
  assert.deepEqual(stays.seen, [[0, "a"]]);
  await send("end");
  await stays.ended;
});

Deno.test("a failed look fails all of its readers, and a later reader reads on", async () => {
  const { outside, send, at, driver, open } = await make();
  const readers = [follow(outside), follow(outside)];
  await settle();
  at.read = () => Promise.reject(new Error("down"));
  await send("a");
  for (const { ended } of readers) assert.match(String(await ended), /^DriverError/);
  assert.equal(open(), 0);
  at.read = driver.readStream.bind(driver);
  const after = follow(outside);
  await send("end");
  await after.ended;
  assert.deepEqual(after.seen, [[0, "a"], "end"]);
});

Deno.test("readers with other offsets and page lengths each get their own part of one look", async () => {
  for (const first of [{ limit: 1 }, { limit: 1_000 }]) {
    const { outside, send } = await make();
    await send(["a", "b", "c"]);
    const parts: Record<string, unknown[]> = {};
    const reading = [first, { limit: 2 }, { from: 3 }].map(async (options) => {
      const own: unknown[] = parts[JSON.stringify(options)] = [];
      for await (const { from, values } of outside.readStreamPages("w", "log", options)) own.push([from, ...values]);
    });
    await settle();
    await send(["d", "e", "f"]);
    await settle();
    // No time has passed, so no poll can have found any of it.
    assert.deepEqual(parts['{"limit":2}']?.flat().filter((it) => typeof it === "string"), [
      "a",
      "b",
      "c",
      "d",
      "e",
      "f",
    ]);
    assert(parts['{"limit":2}']?.every((part) => (part as unknown[]).length <= 3));
    assert.deepEqual(parts['{"from":3}'], [[3], [3, "d", "e", "f"]]);
    await send("end");
    await Promise.all(reading);
  }
});

Deno.test("a stream that continues after a reported end is read on and watched", async () => {
  const { outside, parley, handle, send, world, at } = await make();
  const stays = outside.readStreamPages("w", "log");
  await stays.next();
  const other = follow(outside);
  await settle();
  await handle.cancel();
  await other.ended;
  assert.deepEqual(other.seen, ["end"]);
  await parley.resume("w");
  await world.until(parley.idle());
  const before = at.reads;
  const waiting = stays.next();
  await settle();
  assert(at.reads <= before + 2, `${at.reads - before} reads`);
  await send("a");
  assert.deepEqual((await world.until(waiting)).value?.values, ["a"]);
  await stays.return?.();
});
