/**
 * Streams with gaps over HTTP: offsets are true, and no value is lost or comes twice.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Client, Parley } from "../../../mod.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { forked, LEFT } from "../support/forked.ts";
import { connected, serving } from "../support/hop.ts";
import { lines, type SentEvent, sentEvents, serve, type Service, take } from "../support/service.ts";

/** What an adapter serves. */
const CLIENTS: Readonly<Record<string, (parley: Parley) => Partial<Client>>> = {
  "a Parley": (parley) => parley,
  "a client without pages": (parley) => ({
    readStream: parley.readStream.bind(parley),
    streams: parley.streams.bind(parley),
  }),
  "a client of an adapter": connected,
};

const LOG = "/workflows/w/streams/log";
const LINES = { accept: "application/x-ndjson" };
const SSE = { accept: "text/event-stream" };

/** The offset at which the stream of {@linkcode closed} is closed, behind a gap. */
const END = 12;
/** The places to read from. Some are in gaps. */
const PLACES = Array.from({ length: END + 1 }, (_, from) => from);

const entry = (offset: number) => ({ offset, value: `v${offset}` });
const from = (place: number) => LEFT.filter((offset) => offset >= place).map(entry);

/** A closed stream with gaps. */
async function closed(clientOf: (parley: Parley) => Partial<Client>): Promise<Service> {
  const service = await serve(await serving(memoryHarness, clientOf)(), { driver: forked });
  await service.write(...PLACES.slice(0, END).map((offset) => entry(offset).value));
  await service.tell("close");
  return service;
}

/** The values of events, with their IDs as the offsets. */
const toEntries = (events: SentEvent[]) =>
  events.filter(({ data, event }) => data !== undefined && event === undefined)
    .map(({ id, data }) => ({ offset: Number(id), value: JSON.parse(data!) }));

for (const [name, clientOf] of Object.entries(CLIENTS)) {
  Deno.test(`connect() to ${name}: a stream with gaps is read with its offsets, from every place`, async () => {
    await using service = await closed(clientOf);
    const client = connected(clientOf(service.parley));
    for (const wait of [true, false]) {
      for (const place of PLACES) {
        const expected = from(place);
        const reader = client.readStream<string>("w", "log", { from: place, wait });
        assert.deepEqual(await Array.fromAsync(reader.entries()), expected, `from ${place}`);
        const values = expected.map(({ value }) => value);
        assert.deepEqual(await reader.collect(), { values, closed: true, nextOffset: END }, `from ${place}, ${wait}`);
        assert.deepEqual(await Array.fromAsync(reader.toReadableStream()), values);
      }
      await assert.rejects(client.readStream("w", "log", { from: END + 1, wait }).collect(), {
        code: "offset_out_of_range",
      });
    }
    // Readers that start together share a connection.
    const sharing = Promise.all([
      Array.fromAsync(client.readStream("w", "log", { from: 3 }).entries()),
      Array.fromAsync(client.readStream("w", "other").entries()),
    ]);
    const collecting = Promise.all(["log", "another"].map((key) => client.readStream("w", key).collect()));
    await service.tell("end");
    assert.deepEqual(await sharing, [from(3), []]);
    assert.deepEqual((await collecting).map(({ nextOffset }) => nextOffset), [END, 0]);
  });

  Deno.test(`an adapter of ${name}: pages, lines and events have true offsets, and continue at every place`, async () => {
    await using service = await closed(clientOf);
    const { get } = service;
    for (const limit of [1, 2, 1_000]) {
      const read: object[] = [];
      for (let next = 0, isClosed = false; !isClosed;) {
        const page = await (await get(`${LOG}?from=${next}&limit=${limit}`)).json();
        assert(page.nextOffset > next, `the page from ${next} ends at ${page.nextOffset}`);
        page.values.forEach((value: string, index: number) =>
          read.push({ offset: page.nextOffset - page.values.length + index, value })
        );
        ({ nextOffset: next, closed: isClosed } = page);
      }
      assert.deepEqual(read, from(0), `pages of ${limit}`);
    }
    for (const place of PLACES) {
      const read = (await Array.fromAsync(lines(await get(`${LOG}?from=${place}`, LINES)))).filter((it) => it !== "")
        .map((it) => JSON.parse(it));
      assert.deepEqual(read, [...from(place), { end: true, nextOffset: END }], `lines from ${place}`);
      const header = place > 0 ? { "last-event-id": `${place - 1}` } : {};
      const events = await Array.fromAsync(sentEvents(await get(LOG, { ...SSE, ...header })));
      assert.deepEqual(toEntries(events), from(place), `events from ${place}`);
      assert.equal(events.at(-1)!.id, `end:${END}`);
      const merged = await Array.fromAsync(
        lines(await get(`/workflows/w/live?stream=log&after=${place}`, LINES)),
      );
      assert.deepEqual(
        merged.filter((it) => it !== "").map((it) => JSON.parse(it)),
        [
          ...from(place).map((it) => ({ stream: "log", ...it })),
          { stream: "log", closed: true, nextOffset: END },
          { end: true },
        ],
        `together from ${place}`,
      );
    }
  });

  Deno.test(`an adapter of ${name}: Durable Streams continue over gaps, by each way of reading`, async () => {
    await using service = await closed(clientOf);
    const { get } = service;
    for (const live of ["", "&live=long-poll"]) {
      const read: string[] = [];
      for (let next = "-1", isOver = false; !isOver;) {
        const response = await get(`${LOG}?offset=${next}${live}`);
        if (response.status === 200) read.push(...await response.json());
        isOver = response.headers.has("stream-closed");
        next = response.headers.get("stream-next-offset")!;
      }
      assert.deepEqual(read, from(0).map(({ value }) => value), live);
    }
    for (const place of PLACES) {
      const events = await Array.fromAsync(sentEvents(await get(`${LOG}?offset=${place}&live=sse`)));
      const values = events.filter(({ event }) => event === "data").flatMap(({ data }) => JSON.parse(data!));
      assert.deepEqual(values, from(place).map(({ value }) => value), `from ${place}`);
      assert.equal(Number(JSON.parse(events.at(-1)!.data!).streamNextOffset), END);
    }
    const now = await get(`${LOG}?offset=now`);
    assert.deepEqual([await now.json(), Number(now.headers.get("stream-next-offset"))], [[], END]);
  });

  Deno.test(`an adapter of ${name}: what is written while a reader waits is read once, over gaps`, async () => {
    await using service = await serve(await serving(memoryHarness, clientOf)(), { driver: forked });
    const client = connected(clientOf(service.parley));
    await service.write("v0", "v1", "v2");
    const collecting = client.readStream("w", "log").collect();
    const entries = client.readStream<string>("w", "log", { from: 2 }).entries()[Symbol.asyncIterator]();
    const events = sentEvents(await service.get(LOG, SSE));
    const isValue = ({ id, event }: SentEvent) => id !== undefined && event === undefined;
    const seen = toEntries(await take(events, 2, isValue));
    assert.deepEqual((await entries.next()).value, entry(2));
    for (const offset of PLACES.slice(3, 10)) {
      await service.write(`v${offset}`);
      if (!LEFT.includes(offset)) continue;
      assert.deepEqual((await entries.next()).value, entry(offset));
      seen.push(...toEntries(await take(events, 1, isValue)));
    }
    await service.tell("end");
    assert.equal((await entries.next()).done, true);
    assert.deepEqual(toEntries(await Array.fromAsync(events)), []);
    assert.deepEqual(seen, from(0));
    assert.deepEqual(await collecting, { values: from(0).map(({ value }) => value), closed: true, nextOffset: 10 });
  });
}
