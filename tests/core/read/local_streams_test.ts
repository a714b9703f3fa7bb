import assert from "node:assert/strict";
import type { CommitRequest, CommitResult, Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { RecentValues } from "../../../core/read/recent_values.ts";
import { StreamTail } from "../../../core/read/stream_tail.ts";
import { Subscriptions } from "../../../core/time/subscriptions.ts";
import { type Parley, workflow } from "../../../mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { gate, settle, setup } from "../setup.ts";

/** A value to write, or `long`, `close` or `end`. */
type Message = number | string;

const LONG = "x".repeat(400_000);

const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const message = await ctx.recv<Message | Message[]>();
    for (const value of [message].flat()) {
      if (value === "end") return;
      if (value === "close") await ctx.closeStream("log");
      else if (value === "long") await Promise.all(Array.from({ length: 3 }, () => ctx.writeStream("log", LONG)));
      else await ctx.writeStream("log", value);
    }
  }
});

/** A workflow that writes the values that it receives, with readers in the same isolate. */
async function make({ push = true, hotWait = "1h" }: { push?: boolean; hotWait?: "1h" | 0 } = {}) {
  const { world, clock, driver } = await setup();
  const at = {
    reads: 0,
    commit: driver.commit.bind(driver) as Driver["commit"],
    read: driver.readStream.bind(driver) as Driver["readStream"],
  };
  const { watch, ...rest } = driver;
  const counted: Driver = {
    ...rest,
    ...(push && { watch: watch! }),
    commit: (request) => at.commit(request),
    readStream: (request) => (at.reads++, at.read(request)),
  };
  const isolate = world.isolate(0, [scribe], { driver: counted, hotWait });
  const { parley } = isolate;
  const handle = await parley.start(scribe, undefined, { workflowId: "w" });
  await settle();
  const send = async (message: Message | Message[]) => {
    await handle.send(message);
    await settle(200);
  };
  const other = world.isolate(1, []).parley;
  return { world, clock, driver, parley, handle, send, other, at, errors: isolate.errors };
}

/** Reads on, and collects the values. */
function follow(parley: Parley, seen: unknown[] = []): { seen: unknown[]; ended: Promise<unknown> } {
  const ended = (async () => {
    for await (const { offset, value } of parley.readStream("w", "log").entries()) seen.push([offset, value]);
    seen.push("end");
  })().catch((error) => error);
  return { seen, ended };
}

for (const push of [true, false]) {
  const store = push ? "a store with push" : "a store without push";

  Deno.test(`values of a run here reach readers here without a read, in ${store}`, async () => {
    const { parley, send, at, clock } = await make({ push });
    const readers = [follow(parley), follow(parley)];
    await settle();
    const before = at.reads;
    const values = Array.from({ length: 20 }, (_, n) => n);
    await send(values);
    for (const { seen } of readers) assert.deepEqual(seen, values.map((value) => [value, value]));
    await send("close");
    for (const { seen, ended } of readers) {
      await ended;
      assert.equal(seen.at(-1), "end");
    }
    assert.equal(at.reads, before);
    await send("end");
    assert.equal(clock.pending, 0);
  });

  Deno.test(`the end of a run here reaches readers here without a read, in ${store}`, async () => {
    const { parley, send, at, clock } = await make({ push });
    const { seen, ended } = follow(parley);
    await settle();
    const before = at.reads;
    await send([1, "end"]);
    await ended;
    assert.deepEqual(seen, [[0, 1], "end"]);
    assert.equal(at.reads, before);
    assert.equal(clock.pending, 0);
  });
}

Deno.test("a reader that is slow, or comes while the run writes, does not read for each value", async () => {
  const { parley, send, at } = await make();
  const writing = send(Array.from({ length: 100 }, (_, n) => n));
  const late = follow(parley);
  const slow: unknown[] = [];
  const reading = (async () => {
    for await (const value of parley.readStream("w", "log")) {
      slow.push(value);
      await settle(7);
    }
  })();
  await writing;
  await settle(1_000);
  assert.deepEqual([late.seen.length, slow.length], [100, 100]);
  assert(at.reads <= 8, `${at.reads} reads`);
  await send("end");
  await Promise.all([late.ended, reading]);
});

Deno.test("a run that takes the workflow up again reads once to learn where its stream ends", async () => {
  const { world, parley, send, at } = await make({ hotWait: 0 });
  const { seen, ended } = follow(parley);
  await world.until(parley.idle());
  for (let round = 0; round < 3; round++) {
    const before = at.reads;
    await send([round * 2, round * 2 + 1]);
    await world.until(parley.idle());
    // One for the first value, and one because a suspended workflow may continue elsewhere.
    assert(at.reads - before <= 2, `${at.reads - before} reads`);
    assert.equal(seen.length, (round + 1) * 2);
  }
  await send("end");
  await ended;
});

Deno.test("a value comes after its commit is confirmed, and once if the answer was lost", async () => {
  const { world, parley, send, at, driver } = await make();
  const { seen, ended } = follow(parley);
  await settle();
  const held = gate();
  let sent = 0;
  at.commit = async (request) => {
    const result = await driver.commit(request);
    if (!writes(request)) return result;
    if (sent++ === 0) throw new DriverError("The answer was lost (injected)", { retryable: true });
    await held.opened;
    return result;
  };
  const before = at.reads;
  const sending = send(1);
  await world.untilTrue(() => sent === 2);
  await settle();
  assert.deepEqual(seen, []);
  held.open();
  await sending;
  assert.deepEqual(seen, [[0, 1]]);
  assert.equal(at.reads, before);
  at.commit = driver.commit.bind(driver);
  await send("end");
  await ended;
});

Deno.test("readers read what the store has if a commit fails or the lease is lost", async () => {
  for (const what of ["fails", "is lost"] as const) {
    const { world, parley, send, at, driver, errors } = await make();
    const { seen, ended } = follow(parley);
    await settle();
    at.commit = async (request): Promise<CommitResult> => {
      if (!writes(request)) return await driver.commit(request);
      if (what === "is lost") return { state: "lost" };
      await driver.commit(request);
      throw new DriverError("The store is gone (injected)", { retryable: false });
    };
    await send(1);
    assert.deepEqual(seen, what === "fails" ? [[0, 1]] : []);
    assert.equal(errors.length, 1);
    await world.pass(20_000);
    at.commit = driver.commit.bind(driver);
    await world.pass(20_000);
    await parley.cancel("w");
    await world.until(ended);
    assert.deepEqual(seen, [[0, 1], "end"]);
  }
});

Deno.test("a reader that comes between a commit and its answer looks for itself", async () => {
  const { parley, send, at, driver } = await make();
  await send("first");
  const held = gate();
  let committed = false;
  at.commit = async (request) => {
    // Nothing of the commit is in the store before the reader has looked.
    if (writes(request)) await held.opened;
    const result = await driver.commit(request);
    committed ||= writes(request);
    return result;
  };
  const sending = send("second");
  await settle();
  const { seen, ended } = follow(parley);
  await settle();
  assert.deepEqual([seen, committed], [[[0, "first"]], false]);
  const before = at.reads;
  held.open();
  await sending;
  assert.deepEqual(seen, [[0, "first"], [1, "second"]]);
  assert(at.reads > before);
  await send("end");
  await ended;
});

Deno.test("readers see a cancel elsewhere at the latest when the run does", async () => {
  for (const push of [true, false]) {
    const { world, parley, send, other } = await make({ push });
    const { seen, ended } = follow(parley);
    await send(1);
    await other.cancel("w");
    await world.until(ended);
    assert.deepEqual(seen, [[0, 1], "end"]);
  }
});

Deno.test("readers read the values of a commit that is too large for a page", async () => {
  const { parley, send, at } = await make();
  const { seen, ended } = follow(parley);
  await settle();
  const before = at.reads;
  await send("long");
  assert.equal(seen.length, 3);
  assert(at.reads > before);
  await send("end");
  await ended;
});

Deno.test("RecentValues keeps the last 1,000 values, and 1 MiB of them", () => {
  const recent = new RecentValues({ from: 5, values: ["a", "b"] });
  assert.equal(recent.end, 7);
  assert.deepEqual(recent.pageAt(6, false), { from: 6, values: ["b"], nextOffset: 7, atEnd: true, closed: false });
  assert.equal(recent.pageAt(4, false), undefined);
  assert.equal(recent.pageAt(7, false), undefined);
  assert.deepEqual(recent.pageAt(7, true), { from: 7, values: [], nextOffset: 7, atEnd: true, closed: true });
  recent.append(Array(1_000).fill("c"));
  assert.deepEqual([recent.end, recent.pageAt(6, false), recent.pageAt(7, false)?.values.length], [
    1_007,
    undefined,
    1_000,
  ]);
  recent.append(["x".repeat(2 ** 20 - 1), "y"]);
  assert.deepEqual([recent.pageAt(1_006, false), recent.pageAt(1_007, false)?.values.length], [undefined, 2]);
});

function writes({ operations }: CommitRequest): boolean {
  return operations.some(({ type }) => type === "writeStream");
}

Deno.test("a reader that waits for the next commit of a run looks as soon as the run releases the workflow", async () => {
  const clock = new ManualClock();
  const driver = { watch: () => ({ live: true, close() {} }) } as Pick<Driver, "watch"> as Driver;
  let isTold = true;
  const tail = new StreamTail({ driver, clock, hints: new Subscriptions() }, "w", {
    isTold: () => isTold,
    onEmpty: () => {},
  });
  const stored: string[] = [];
  const write = (value: string) => {
    stored.push(value);
    const from = stored.length - 1;
    tail.tell(new Set(), { from, values: [value], nextOffset: from + 1, atEnd: true, closed: false });
  };
  const look = (from: number) =>
    Promise.resolve({ from, values: stored.slice(from), nextOffset: stored.length, atEnd: true, closed: false });
  const reader = tail.join();
  const stop = new AbortController();
  write("a");
  assert.deepEqual((await reader.next(0, look, stop.signal)).values, ["a"]);
  write("b");
  let seen: unknown;
  const reading = reader.next(1, look, stop.signal).then(({ values }) => seen = values, () => {});
  await settle();
  isTold = false;
  tail.reset();
  await clock.advance(1_000);
  assert.deepEqual(seen, ["b"]);
  stop.abort();
  await reading;
  reader.leave();
  assert.equal(clock.pending, 0);
});
