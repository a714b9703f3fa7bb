import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { type Order, serve, type Service } from "../support/service.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MIB = 2 ** 20;
const READERS = 20;
/** Of readers of one source, the piece that waits for each; of others the text of one value, too. A page of the store has 1 MiB. */
const MAX_SHARED_MIB = 0.2;
const MAX_APART_MIB = 0.7;
/** Until readers are known to have stopped. */
const PATIENCE_MS = 10_000;
/** In UTF-8 a character has up to three bytes. */
const MAX_PIECE_BYTES = 3 * 2 ** 16;

/** As a store over a network has it: what is read is nobody else's. */
const apart = (driver: Driver): Driver => ({
  ...driver,
  readStream: async (request) => structuredClone(await driver.readStream(request)),
  readEvent: async (request) => structuredClone(await driver.readEvent(request)),
});

/** What is left on the heap when it was cleaned up, and in buffers beside it. */
function heldMiB(): number {
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / MIB;
}

const STREAM = { path: "/workflows/w/streams/log", orders: [{ many: 4, padding: 500_000 }] };
const EVENT = { path: "/workflows/w/events/state", orders: [{ set: "x".repeat(1_000_000) }] };
/** Within its patience, what was read for readers that have stopped is let go of. */
async function heldEach(before: number, most: number): Promise<void> {
  const began = performance.now();
  for (let each = Infinity; each >= most; await delay(systemClock, 100)) {
    each = (heldMiB() - before) / READERS;
    assert(performance.now() - began < PATIENCE_MS, `${each.toFixed(2)} MiB each`);
  }
}

/** Reads until there is something of a large value; what comes before it is no more than a sign of life. */
async function stalled(
  service: Service,
  path: string,
  accept: string,
): Promise<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>> {
  const body = (await service.get(path, { accept })).body!.getReader();
  let length = 0;
  while (length < 1_000) {
    const { value } = await body.read();
    length = value!.length;
    assert(length <= MAX_PIECE_BYTES, `${length} bytes at once`);
  }
  return body;
}

const LIVE: { accept: string; path: string; orders: Order[] }[] = [
  { accept: "text/event-stream", ...STREAM },
  { accept: "application/x-ndjson", ...STREAM },
  { accept: "application/vnd.parley+ndjson", ...STREAM },
  { accept: "text/event-stream", ...STREAM, path: `${STREAM.path}?offset=-1&live=sse` },
  { accept: "text/event-stream", ...EVENT },
  { accept: "text/event-stream", ...STREAM, path: "/workflows/w/live?stream=log&event=state" },
  { accept: "application/x-ndjson", ...STREAM, path: "/workflows/w/live?stream=log&event=state" },
  { accept: "text/event-stream", ...EVENT, path: "/workflows/w/live?stream=log&event=state" },
  { accept: "application/x-ndjson", ...EVENT },
];

for (const { accept, path, orders } of LIVE) {
  Deno.test(`readers that have stopped share the text that they are within: ${path} as ${accept}`, async () => {
    await using harness = await memoryHarness();
    await using service = await serve(harness, { driver: apart });
    await service.tell(...orders);
    const first = await stalled(service, path, accept);
    const before = heldMiB();
    const bodies = await Promise.all(Array.from({ length: READERS }, () => stalled(service, path, accept)));
    await heldEach(before, MAX_SHARED_MIB);
    for (const body of [first, ...bodies]) await body.cancel();
  });
}

const OTHERS: [accept: string, path: (key: string) => string][] = [
  ["text/event-stream", (key) => `/workflows/w/streams/${key}`],
  ["application/x-ndjson", (key) => `/workflows/w/streams/${key}`],
  ["text/event-stream", (key) => `/workflows/w/streams/${key}?offset=-1&live=sse`],
  ["text/event-stream", (key) => `/workflows/w/live?stream=${key}&event=of_${key}`],
  ["application/x-ndjson", (key) => `/workflows/w/live?stream=${key}&event=of_${key}`],
];

for (const [accept, pathOf] of OTHERS) {
  Deno.test(`readers of different streams that have stopped hold a value each, and read on with nothing lost: ${pathOf("log")} as ${accept}`, async () => {
    await using harness = await memoryHarness();
    await using service = await serve(harness, { driver: apart });
    const keys = Array.from({ length: READERS }, (_, n) => `log${n}`);
    const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(500_000));
    for (const key of keys) {
      await service.tell(...texts.map((write) => ({ write, to: key })), { set: "e".repeat(500_000), to: `of_${key}` });
    }
    await service.tell("end");
    const first = await stalled(service, pathOf(keys[0]!), accept);
    const before = heldMiB();
    const bodies = await Promise.all(
      keys.map((key) => stalled(service, pathOf(key), accept)),
    );
    await heldEach(before, MAX_APART_MIB);
    for (const body of [first, ...bodies.slice(1)]) await body.cancel();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let { done, value } = await bodies[0]!.read(); !done; { done, value } = await bodies[0]!.read()) {
      pieces.push(value!);
    }
    const rest = await new Blob(pieces).text();
    assert.deepEqual(rest.match(/([b-d])\1+/g)?.map((it) => [it[0], it.length]), [["b", 500_000], ["c", 500_000], [
      "d",
      500_000,
    ]]);
    assert.equal(/(e)\1{499999}/.test(rest), pathOf("").includes("event="));
    assert.match(rest, /event: end|"end":true|"streamClosed":true/);
  });
}

Deno.test("a connection that is over within a large value brings all of that value, whole characters included", async () => {
  await using harness = await memoryHarness();
  await using service = await serve(harness, { maxConnection: "100ms" });
  const texts = ["", "x", "xx", "xxx"].map((start) => start + "🦜é".repeat(60_000));
  await service.write(...texts);
  for (const [from, text] of texts.entries()) {
    const response = await service.get(`/workflows/w/streams/log?from=${from}`, { accept: "text/event-stream" });
    const body = response.body!.getReader();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let { done, value } = await body.read(); !done; { done, value } = await body.read()) {
      pieces.push(value!);
      await delay(systemClock, 150);
    }
    const [, data] = /\ndata: (.*)\n\n$/.exec(await new Blob(pieces).text()) ?? [];
    assert.equal(JSON.parse(data!), text);
  }
});
