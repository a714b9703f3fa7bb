import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { workflow } from "../../../core/workflow.ts";
import { make } from "./reader_setup.ts";
import { countListeners, settle, setup } from "../setup.ts";

Deno.test("readStream() yields every earlier and later value once, and ends with the workflow", async () => {
  const { world, outside, send, open, clock } = await make();
  await send(1, 2);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { offset, value } of outside.readStream("w", "log").entries()) seen.push([offset, value]);
  })();
  await world.untilTrue(() => seen.length === 2);
  await send(3);
  await world.untilTrue(() => seen.length === 3);
  await send(4, 5, "end");
  await world.until(reading);
  assert.deepEqual(seen, [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]);
  assert.deepEqual([open(), clock.pending], [0, 0]);
});

Deno.test("readStream() ends where the stream is closed, even if its workflow goes on", async () => {
  const { world, outside, send, handle } = await make();
  await send(1);
  const reading = outside.readStream("w", "log").collect();
  await send(2, "close");
  assert.deepEqual(await world.until(reading), { values: [1, 2], closed: true, nextOffset: 2 });
  assert.equal((await handle.status()).status, "PENDING");
});

Deno.test("readStream({ wait: false }) returns all pages of stored values, and tells whether more may come", async () => {
  const { outside, send, reads, open } = await make();
  const values = Array.from({ length: 1_500 }, (_, n) => n);
  for (let from = 0; from < values.length; from += 500) await send(...values.slice(from, from + 500));
  assert.deepEqual(await outside.readStream("w", "log", { wait: false }).collect(), {
    values,
    closed: false,
    nextOffset: 1_500,
  });
  assert.deepEqual(reads.splice(0), [0, 1_000]);
  await send("close");
  assert.deepEqual(await outside.readStream("w", "log", { wait: false, from: 1_499 }).collect(), {
    values: [1_499],
    closed: true,
    nextOffset: 1_500,
  });
  assert.deepEqual(await outside.readStream("w", "none", { wait: false }).collect(), {
    values: [],
    closed: false,
    nextOffset: 0,
  });
  assert.equal(open(), 0);
});

Deno.test("readStream() reads page after page without a pause while it is behind", async () => {
  const { outside, send, reads, clock } = await make({ push: false });
  const values = Array.from({ length: 2_500 }, (_, n) => n);
  for (let from = 0; from < values.length; from += 500) await send(...values.slice(from, from + 500));
  const iterator = outside.readStream("w", "log")[Symbol.asyncIterator]();
  const before = clock.now();
  for (let n = 0; n < 2_500; n++) assert.equal((await iterator.next()).value, n);
  assert.equal(clock.now(), before);
  assert.deepEqual(reads, [0, 1_000, 2_000]);
  await iterator.return?.();
});

Deno.test("readStream() may be read twice at once, each from its beginning", async () => {
  const { world, outside, send } = await make();
  await send(1, 2, "end");
  const reader = outside.readStream("w", "log", { from: 1 });
  const expected = { values: [2], closed: true, nextOffset: 2 };
  assert.deepEqual(await world.until(Promise.all([reader.collect(), reader.collect()])), [expected, expected]);
});

Deno.test("a reader that leaves early in any way leaves no subscription, timer or listener", async () => {
  using listeners = countListeners();
  for (const push of [true, false]) {
    const { outside, send, open, clock } = await make({ push });
    await send(1);
    for await (const value of outside.readStream("w", "log")) {
      assert.equal(value, 1);
      break;
    }
    for await (const value of outside.watchEvent("w", "state")) {
      assert.equal(value, 1);
      break;
    }
    const stream = outside.readStream("w", "log").toReadableStream().getReader();
    assert.deepEqual(await stream.read(), { done: false, value: 1 });
    const pending = stream.read();
    await settle();
    assert.equal(open(), 1);
    await stream.cancel();
    assert.equal((await pending).done, true);

    for (
      const iterable of [
        outside.readStream("w", "log"),
        outside.readStream("w", "log").entries(),
        outside.watchEvent("w", "state"),
      ]
    ) {
      const iterator = iterable[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = iterator.next();
      await settle();
      assert.equal((await iterator.return!()).done, true);
      assert.equal((await waiting).done, true);
      assert.equal((await iterator.next()).done, true);
    }
    const unread = outside.readStream("w", "log").toReadableStream();
    await unread.cancel();
    await settle();
    assert.deepEqual([open(), clock.pending], [0, 0]);
  }
  assert.equal(listeners.left(), 0);
});

Deno.test("a reader whose signal aborts rejects with its reason, at any time, and leaves nothing", async () => {
  using listeners = countListeners();
  const { outside, send, open, clock, reads } = await make();
  await send(1);
  const reason = new Error("left");
  const aborted = AbortSignal.abort(reason);
  await assert.rejects(outside.readStream("w", "log", { signal: aborted }).collect(), reason);
  await assert.rejects(outside.watchEvent("w", "state", { signal: aborted })[Symbol.asyncIterator]().next(), reason);
  assert.deepEqual(reads, []);

  for (const read of ["readStream", "watchEvent"] as const) {
    const { signal, abort } = leaving(reason);
    const iterator = outside[read]("w", read === "readStream" ? "log" : "state", { signal })[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value, 1);
    const waiting = assert.rejects(iterator.next(), reason);
    await settle();
    abort();
    await waiting;
    assert.equal((await iterator.next()).done, true);
  }

  const { signal, abort } = leaving(reason);
  const reader = outside.readStream("w", "log", { signal }).toReadableStream().getReader();
  await reader.read();
  const waiting = assert.rejects(reader.read(), reason);
  await settle();
  abort();
  await waiting;
  await settle();
  assert.deepEqual([open(), clock.pending, listeners.left()], [0, 0, 0]);
});

function leaving(reason: Error): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(reason) };
}

Deno.test("a reader whose signal aborts does not wait for its read", async () => {
  const { world, driver } = await setup();
  const hanging: Driver = {
    ...driver,
    readStream: () => new Promise(() => {}),
    readEvent: () => new Promise(() => {}),
  };
  const { parley } = world.isolate(0, [], { driver: hanging });
  const reason = new Error("left");
  for (const read of ["readStream", "watchEvent"] as const) {
    const { signal, abort } = leaving(reason);
    const waiting = assert.rejects(parley[read]("w", "k", { signal })[Symbol.asyncIterator]().next(), reason);
    await settle();
    abort();
    await waiting;
  }
});

Deno.test("toReadableStream() reads no faster than its consumer", async () => {
  const { outside, send, reads } = await make();
  await send(1, 2);
  const stream = outside.readStream("w", "log").toReadableStream();
  await settle();
  assert.deepEqual(reads, []);
  const reader = stream.getReader();
  await reader.read();
  await settle();
  assert.deepEqual(reads, [0]);
  await reader.cancel();
});

Deno.test("watchEvent() waits for a workflow that does not exist yet, and yields each version once", async () => {
  const { world, parley, outside, open, clock } = await make();
  const later = workflow("later", async (ctx) => {
    await ctx.setEvent("state", "same");
    await ctx.recv();
    await ctx.setEvent("other", "not this one");
    await ctx.recv();
    await ctx.setEvent("state", "same");
  });
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const value of outside.watchEvent("later", "state")) seen.push(value);
  })();
  await world.pass(3_000);
  assert.deepEqual(seen, []);
  const owner = world.isolate(0, [later]).parley;
  const handle = await owner.start(later, undefined, { workflowId: "later" });
  await world.untilTrue(() => seen.length === 1);
  await handle.send(1);
  await world.until(owner.idle());
  await world.pass(3_000);
  assert.deepEqual(seen, ["same"]);
  await handle.send(2);
  await world.until(watching);
  assert.deepEqual(seen, ["same", "same"]);
  assert.deepEqual([open(), clock.pending], [0, 0]);
  await parley.cancel("w");
});

Deno.test("watchEvent() of a workflow that has ended yields the last value and ends", async () => {
  const { world, outside, send } = await make();
  await send(1, 2, "end");
  const seen: unknown[] = [];
  await world.until((async () => {
    for await (const value of outside.watchEvent("w", "state")) seen.push(value);
    for await (const value of outside.watchEvent("w", "none")) seen.push(value);
  })());
  assert.deepEqual(seen, [2]);
});

Deno.test("watchEvent().entries() yields only versions above `after`", async () => {
  const { world, outside, send } = await make();
  await send(1);
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const { version, value } of outside.watchEvent("w", "state", { after: 1 }).entries()) {
      seen.push([version, value]);
    }
  })();
  await world.pass(3_000);
  assert.deepEqual(seen, []);
  await send(2);
  await world.untilTrue(() => seen.length === 1);
  await send(3, "end");
  await world.until(watching);
  assert.deepEqual(seen, [[2, 2], [3, 3]]);
});

Deno.test("getEventEntry() returns the version with the value, and waits for one above `after`", async () => {
  const { world, outside, handle, send } = await make();
  await send(1, 2);
  assert.deepEqual(await outside.getEventEntry("w", "state"), { version: 2, value: 2 });
  const later = handle.getEventEntry("state", { after: 2 });
  await world.pass(3_000);
  await send(3);
  assert.deepEqual(await world.until(later), { version: 3, value: 3 });
  await assert.rejects(outside.getEventEntry("w", "state", { after: 3, timeout: 0 }), { code: "timeout" });
  for (const after of [-1, 0.5, NaN]) {
    await assert.rejects(outside.getEventEntry("w", "state", { after }), { code: "invalid_value" });
    assert.throws(() => outside.watchEvent("w", "state", { after }), { code: "invalid_value" });
  }
});

Deno.test("a reader that found something polls quickly again", async () => {
  const { world, outside, send, reads } = await make({ push: false });
  await send(1);
  const iterator = outside.readStream("w", "log")[Symbol.asyncIterator]();
  await iterator.next();
  const next = iterator.next();
  await world.pass(30_000);
  await send(2);
  assert.equal((await world.until(next)).value, 2);
  const waiting = iterator.next();
  const before = reads.length;
  await world.pass(100);
  assert(reads.length - before >= 2, `${reads.length - before} reads within 100 ms`);
  await iterator.return?.();
  await waiting;
});
