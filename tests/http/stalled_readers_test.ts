import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { delay, systemClock } from "../../core/clock.ts";
import type { Driver } from "../../mod.ts";
import { memoryHarness } from "../support/memory.ts";
import { type Order, serve } from "./suites/service.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MIB = 2 ** 20;
const READERS = 20;
/** A page of the store, which has at most 1 MiB, and a little more. */
const MOST_HELD_MIB = 1.2;
/** In UTF-8 a character has up to three bytes. */
const LONGEST_PIECE = 3 * 2 ** 16;

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
const LIVE: { accept: string; path: string; orders: Order[] }[] = [
  { accept: "text/event-stream", ...STREAM },
  { accept: "application/x-ndjson", ...STREAM },
  { accept: "application/vnd.parley+ndjson", ...STREAM },
  { accept: "text/event-stream", ...STREAM, path: `${STREAM.path}?offset=-1&live=sse` },
  { accept: "text/event-stream", ...EVENT },
  { accept: "application/x-ndjson", ...EVENT },
];

for (const { accept, path, orders } of LIVE) {
  Deno.test(`a reader that has stopped holds no more than a page of the store: ${path} as ${accept}`, async () => {
    await using harness = await memoryHarness();
    await using service = await serve(harness, { driver: apart });
    await service.tell(...orders);
    const stalled = async () => {
      const body = (await service.get(path, { accept })).body!.getReader();
      // Until there is something of a large value; what comes before it is no more than a sign of life.
      let length = 0;
      while (length < 1_000) {
        const { value } = await body.read();
        length = value!.length;
        assert(length <= LONGEST_PIECE, `${length} bytes at once`);
      }
      return body;
    };
    const first = await stalled();
    const before = heldMiB();
    const bodies = await Promise.all(Array.from({ length: READERS }, stalled));
    await delay(systemClock, 0);
    const each = (heldMiB() - before) / READERS;
    assert(each < MOST_HELD_MIB, `${each.toFixed(2)} MiB each`);
    for (const body of [first, ...bodies]) await body.cancel();
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
