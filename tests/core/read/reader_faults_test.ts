import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { make } from "./reader_setup.ts";
import { settle } from "../setup.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

Deno.test("readStream() rejects if it is ahead of its stream, at once or when the stream is found shorter", async () => {
  const { world, outside, send, clock, open } = await make();
  await send(1, 2);
  const refusal = (offset: number, end: number) => ({
    code: "offset_out_of_range",
    workflowId: "w",
    key: "log",
    offset,
    end,
  });
  for (const wait of [true, false]) {
    await assert.rejects(outside.readStream("w", "log", { from: 3, wait }).collect(), refusal(3, 2));
  }
  await assert.rejects(outside.readStream("w", "none", { from: 1 }).collect(), { ...refusal(1, 0), key: "none" });
  const store = world.isolate(1, []).driver;
  let restored = false;
  const readStream: Driver["readStream"] = async (request) => {
    const page = await store.readStream(request);
    return restored ? { ...page, values: page.values.slice(0, Math.max(0, 1 - request.from)), tail: 1 } : page;
  };
  const reader = world.isolate(1, [], { driver: { ...store, readStream } }).parley;
  const readings = [{}, { from: 2 }].map((options) =>
    assert.rejects(reader.readStream("w", "log", options).collect(), refusal(2, 1))
  );
  await settle();
  restored = true;
  await world.until(Promise.all(readings));
  assert.deepEqual([open(), clock.pending], [0, 0]);
});

Deno.test("readers of one stream that come and go while others look are never reported as ahead of it", async () => {
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

Deno.test("getEventEntry() rejects at once if the workflow has ended, or ends, without the value", async () => {
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
  await assert.rejects(outside.getEventEntry("w", "state", { after: 1, timeout: 0 }), {
    code: "workflow_ended",
    workflowId: "w",
  });
  assert.equal(clock.pending, 0);
});

/** An isolate whose store is away until the test brings it back. */
async function makeFlaky() {
  const { world, send, clock, parley } = await make();
  const state = { away: false, retryable: true };
  const store = world.isolate(1, []).driver;
  const flaky =
    <Args extends unknown[], R>(call: (...args: Args) => Promise<R>) => async (...args: Args): Promise<R> => {
      if (state.away) throw new DriverError("away", { retryable: state.retryable });
      return await call(...args);
    };
  const outside = world.isolate(1, [], {
    driver: { ...store, readStream: flaky(store.readStream), readEvent: flaky(store.readEvent) },
  }).parley;
  return { world, send, clock, parley, outside, state };
}

Deno.test("readers outlive an outage of the store until their own signal or timeout", async () => {
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
  // Calls that nothing awaits any more may still be between two tries.
  await world.pass(5_000);
  assert.equal(clock.pending, 0);
});

Deno.test("a permanent fault ends a reader at any look", async () => {
  const { world, send, outside, state } = await makeFlaky();
  await send(1);
  const readers = [outside.readStream("w", "log"), outside.watchEvent("w", "state")].map(async (reader) => {
    for await (const value of reader) assert.equal(value, 1);
  }).map((reading) => assert.rejects(reading, { code: "driver" }));
  await settle();
  Object.assign(state, { away: true, retryable: false });
  await world.until(Promise.all(readers));
});

Deno.test("watchEvent() ends when its workflow is purged", async () => {
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

Deno.test("an abandoned iterator leaves nothing once it is garbage", async () => {
  const { outside, send, open, clock } = await make();
  await send(1);
  const abandon = async () => {
    const iterables = [
      outside.readStream("w", "log"),
      outside.readStream("w", "log").entries(),
      outside.watchEvent("w", "state"),
    ];
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

Deno.test("an iterator is not garbage while something awaits its next value", async () => {
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
