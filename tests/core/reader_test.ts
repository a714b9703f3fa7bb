import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Driver } from "../../core/driver.ts";
import { DriverError } from "../../core/errors.ts";
import { workflow } from "../../core/workflow.ts";
import { countedWatches, countListeners, settle, setup } from "./setup.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<number | "close" | "end">();
    if (value === "end") return;
    if (value === "close") await ctx.closeStream("log");
    else await Promise.all([ctx.writeStream("log", value), ctx.setEvent("state", value)]);
  }
});

/** A workflow that writes what it is sent, and a reader in another isolate whose subscriptions are counted. */
async function make({ push = true }: { push?: boolean } = {}) {
  const { world, clock, driver } = await setup();
  const { parley } = world.isolate(0, [scribe]);
  const handle = await parley.start(scribe, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  const { watch: _, ...poll } = driver;
  const watches = countedWatches(push ? driver : poll);
  const reads: number[] = [];
  const counted: Driver = { ...watches.driver, readStream: (request) => (reads.push(request.from), driver.readStream(request)) };
  const outside = world.isolate(1, [], { driver: counted }).parley;
  const send = async (...values: unknown[]) => {
    await parley.sendAll(values.map((message) => ({ destinationId: "w", message })));
    await world.until(parley.idle());
  };
  return { world, clock, parley, handle, outside, send, open: watches.open, reads };
}

Deno.test("readStream() yields every value once, whether it was there before or comes later, and ends with the workflow", async () => {
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

Deno.test("readStream() ends where the stream is closed, though its workflow goes on", async () => {
  const { world, outside, send, handle } = await make();
  await send(1);
  const reading = outside.readStream("w", "log").collect();
  await send(2, "close");
  assert.deepEqual(await world.until(reading), { values: [1, 2], closed: true, nextOffset: 2 });
  assert.equal((await handle.status()).status, "PENDING");
});

Deno.test("readStream({ wait: false }) returns what is there in all its pages, and says whether more may come", async () => {
  const { outside, send, reads, open } = await make();
  const values = Array.from({ length: 1_500 }, (_, n) => n);
  for (let from = 0; from < values.length; from += 500) await send(...values.slice(from, from + 500));
  assert.deepEqual(await outside.readStream("w", "log", { wait: false }).collect(), { values, closed: false, nextOffset: 1_500 });
  assert.deepEqual(reads.splice(0), [0, 1_000]);
  await send("close");
  assert.deepEqual(await outside.readStream("w", "log", { wait: false, from: 1_499 }).collect(), {
    values: [1_499],
    closed: true,
    nextOffset: 1_500,
  });
  assert.deepEqual(await outside.readStream("w", "none", { wait: false }).collect(), { values: [], closed: false, nextOffset: 0 });
  assert.equal(open(), 0);
});

Deno.test("readStream() that is behind reads page after page without a pause", async () => {
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

Deno.test("a reader that leaves early, however it leaves, leaves no subscription, timer or listener", async () => {
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

    for (const iterable of [outside.readStream("w", "log"), outside.readStream("w", "log").entries(), outside.watchEvent("w", "state")]) {
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

Deno.test("a reader whose signal aborts rejects with its reason, before, in and between reads, and leaves nothing behind", async () => {
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

Deno.test("a reader need not wait for a read that is under way when its signal aborts", async () => {
  const { world, driver } = await setup();
  const hanging: Driver = { ...driver, readStream: () => new Promise(() => {}), readEvent: () => new Promise(() => {}) };
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

Deno.test("toReadableStream() reads only as it is read", async () => {
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

Deno.test("watchEvent().entries() yields versions, those above `after` alone", async () => {
  const { world, outside, send } = await make();
  await send(1);
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const { version, value } of outside.watchEvent("w", "state", { after: 1 }).entries()) seen.push([version, value]);
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

Deno.test("readStream() that is ahead of its stream says so, at its first look and when the stream turns out to be shorter", async () => {
  const { world, outside, send, clock, open } = await make();
  await send(1, 2);
  const refusal = (offset: number, end: number) => ({ code: "offset_out_of_range", workflowId: "w", key: "log", offset, end });
  for (const wait of [true, false]) await assert.rejects(outside.readStream("w", "log", { from: 3, wait }).collect(), refusal(3, 2));
  await assert.rejects(outside.readStream("w", "none", { from: 1 }).collect(), { ...refusal(1, 0), key: "none" });
  const store = world.isolate(1, []).driver;
  let restored = false;
  const readStream: Driver["readStream"] = async (request) => {
    const page = await store.readStream(request);
    return restored ? { ...page, values: page.values.slice(0, Math.max(0, 1 - request.from)), tail: 1 } : page;
  };
  const reader = world.isolate(1, [], { driver: { ...store, readStream } }).parley;
  const readings = [{}, { from: 2 }].map((options) => assert.rejects(reader.readStream("w", "log", options).collect(), refusal(2, 1)));
  await settle();
  restored = true;
  await world.until(Promise.all(readings));
  assert.deepEqual([open(), clock.pending], [0, 0]);
});

Deno.test("readers of one stream that come and go while others look are never told that they are ahead of it", async () => {
  const { world, outside, send } = await make();
  const readers = Array.from({ length: 10 }, async (_, n) => {
    const seen: unknown[] = [];
    for (let from = 0; from < 20;) {
      for await (const { offset, value } of outside.readStream("w", "log", { from }).entries()) {
        seen.push(value);
        from = offset + 1;
        if (from % (n + 1) === 0 || from === 20) break;
      }
    }
    return seen;
  });
  const all = Promise.all(readers);
  for (let n = 0; n < 20; n++) await send(n);
  for (const seen of await world.until(all)) assert.deepEqual(seen, Array.from({ length: 20 }, (_, n) => n));
});

Deno.test("getEventEntry() of a workflow that has ended without the value rejects at once, also if it ends meanwhile", async () => {
  const { world, outside, handle, send, clock } = await make();
  await send(1);
  const waiting = ["none", "other"].map((key) =>
    outside.getEvent("w", key, { timeout: "1h" }).catch((error) => [error.code, error.status])
  );
  const later = handle.getEventEntry("state", { after: 1 }).catch((error) => [error.code, error.status]);
  await world.pass(3_000);
  const before = clock.now();
  await send("end");
  const ended = ["workflow_ended", "SUCCESS"];
  assert.deepEqual(await world.until(Promise.all([...waiting, later])), [ended, ended, ended]);
  assert(clock.now() - before < 2_000);
  assert.deepEqual(await outside.getEvent("w", "state"), 1);
  await assert.rejects(outside.getEventEntry("w", "state", { after: 1, timeout: 0 }), { code: "workflow_ended", workflowId: "w" });
  assert.equal(clock.pending, 0);
});

/** An isolate whose store is away until it is told otherwise. */
async function makeFlaky() {
  const { world, send, clock, parley } = await make();
  const state = { away: false, retryable: true };
  const store = world.isolate(1, []).driver;
  const flaky = <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) => async (...args: Args): Promise<R> => {
    if (state.away) throw new DriverError("away", { retryable: state.retryable });
    return await call(...args);
  };
  const outside = world.isolate(1, [], {
    driver: { ...store, readStream: flaky(store.readStream), readEvent: flaky(store.readEvent) },
  }).parley;
  return { world, send, clock, parley, outside, state };
}

Deno.test("readers outlive an outage of the store, until their own signal or timeout", async () => {
  const { world, send, outside, state, clock } = await makeFlaky();
  await send(1);
  const seen: unknown[] = [];
  const leaving = new AbortController();
  const readers = [
    outside.readStream("w", "log"),
    outside.readStream("w", "log", { from: 1 }),
    outside.watchEvent("w", "state"),
  ].map(async (reader, n) => {
    for await (const value of reader) seen.push([n, value]);
  });
  const left = outside.readStream("w", "log", { signal: leaving.signal }).collect();
  await world.pass(1_000);
  assert.equal(seen.length, 2);
  state.away = true;
  const reason = new Error("left");
  const waiting = outside.getEvent("w", "later", { timeout: "60s" }).catch((error) => error.code);
  await world.pass(30_000);
  leaving.abort(reason);
  await assert.rejects(left, reason);
  assert.equal(await world.until(waiting), "driver");
  state.away = false;
  await send(2, "end");
  await world.until(Promise.all(readers));
  const of = (n: number) => seen.filter((it) => (it as number[])[0] === n).map((it) => (it as number[])[1]);
  assert.deepEqual([of(0), of(1), of(2)], [[1, 2], [2], [1, 2]]);
  assert.equal(clock.pending, 0);
});

Deno.test("a fault that does not pass ends a reader at any look", async () => {
  const { world, send, outside, state } = await makeFlaky();
  await send(1);
  const readers = [outside.readStream("w", "log"), outside.watchEvent("w", "state")].map(async (reader) => {
    for await (const value of reader) assert.equal(value, 1);
  }).map((reading) => assert.rejects(reading, { code: "driver" }));
  await settle();
  Object.assign(state, { away: true, retryable: false });
  await world.until(Promise.all(readers));
});

Deno.test("watchEvent() of a workflow that is purged ends", async () => {
  const { world, outside, parley, send, open, clock } = await make({ push: false });
  await send(1);
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const value of outside.watchEvent("w", "state")) seen.push(value);
  })();
  await world.untilTrue(() => seen.length === 1);
  await parley.cancel("w");
  await parley.purge({ olderThan: 0 });
  await world.until(watching);
  assert.deepEqual([seen, open(), clock.pending], [[1], 0, 0]);
});

Deno.test("an iterator that nobody reads on or ends leaves nothing when it is garbage", async () => {
  const { outside, send, open, clock } = await make();
  await send(1);
  const abandon = async () => {
    const iterables = [outside.readStream("w", "log"), outside.readStream("w", "log").entries(), outside.watchEvent("w", "state")];
    for (const iterable of iterables) await iterable[Symbol.asyncIterator]().next();
  };
  await abandon();
  assert.equal(open(), 2, "the readers of one stream share a subscription");
  for (let tries = 0; open() > 0 && tries < 50; tries++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual([open(), clock.pending], [0, 0]);
});

Deno.test("an iterator is no garbage while somebody waits for its next value", async () => {
  const { world, outside, send, open } = await make();
  const next = outside.watchEvent("w", "state")[Symbol.asyncIterator]().next();
  for (let tries = 0; tries < 5; tries++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(open(), 1);
  await send(1);
  assert.equal((await world.until(next)).value, 1);
});
