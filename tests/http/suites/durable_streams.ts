/**
 * The reading side of the Durable Streams protocol, answer by answer as PROTOCOL.md has it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, nextTask, systemClock } from "../../../core/time/clock.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { problem, sentEvents, serve, type Service, type ServiceOptions, take } from "../support/service.ts";

const LOG = "/workflows/w/streams/log";
const ENDS_SOON = { maxWait: "60ms" } as const;

/** Registers the tests. */
export function durableStreams(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule: Rule = (name, run, options = {}) =>
    test(`Durable Streams: ${name}`, async () => {
      await using harness = await makeHarness();
      await using service = await serve(harness, options);
      await run(service);
    });
  catchUp(rule);
  caching(rule);
  longPoll(rule);
  serverSent(rule);
}

type Rule = (name: string, run: (service: Service) => Promise<void>, options?: ServiceOptions) => void;

/** The headers of the protocol that an answer has. */
function told(response: Response): Record<string, string> {
  const names = ["stream-next-offset", "stream-up-to-date", "stream-closed"];
  return Object.fromEntries(
    names.flatMap((name) => response.headers.has(name) ? [[name, response.headers.get(name)!]] : []),
  );
}

function catchUp(rule: Rule): void {
  rule("a read tells where it ended, and whether that is the end", async ({ get, write, tell }) => {
    assert.equal(await (await get(`${LOG}?offset=-1`)).text(), "[]");
    await write("a", undefined);
    const all = await get(`${LOG}?offset=-1`);
    assert.deepEqual(await all.json(), ["a", null]);
    assert.deepEqual(told(all), { "stream-next-offset": "0000000000000002", "stream-up-to-date": "true" });
    assert.deepEqual(
      [all.headers.get("content-type"), all.headers.get("x-content-type-options")],
      ["application/json", "nosniff"],
    );
    await tell("close");
    const atEnd = await get(`${LOG}?offset=0000000000000002`);
    assert.equal(await atEnd.text(), "[]");
    const end = { "stream-next-offset": "0000000000000002", "stream-up-to-date": "true", "stream-closed": "true" };
    assert.deepEqual(told(atEnd), end);
    const head = await get(LOG, {}, { method: "HEAD" });
    assert.deepEqual([told(head), head.body, head.headers.get("cache-control")], [{ ...end }, null, "no-store"]);
  });
  rule(
    "a part that is not the last says neither that it is up to date nor that the stream is closed",
    async ({ get, tell }) => {
      await tell({ many: 1_001 }, "close");
      const part = await get(`${LOG}?offset=-1`);
      assert.deepEqual([(await part.json()).length, told(part)], [1_000, { "stream-next-offset": "0000000000001000" }]);
      const rest = await get(`${LOG}?offset=0000000000001000`);
      assert.deepEqual(await rest.json(), [1_000]);
      assert.equal(told(rest)["stream-closed"], "true");
      assert.equal(told(await get(LOG, {}, { method: "HEAD" }))["stream-next-offset"], "0000000000001001");
    },
  );
  rule("offset=now has no values, and is not to be kept", async ({ get, write, tell }) => {
    await write(1);
    const now = await get(`${LOG}?offset=now`);
    assert.equal(await now.text(), "[]");
    assert.deepEqual(told(now), { "stream-next-offset": "0000000000000001", "stream-up-to-date": "true" });
    assert.deepEqual([now.headers.get("etag"), now.headers.get("cache-control")], [null, "no-store"]);
    await tell("close");
    assert.equal(told(await get(`${LOG}?offset=now`))["stream-closed"], "true");
  });
  rule("a request that is not legal is refused", async ({ get }) => {
    const wrong = [
      "offset=",
      "offset=a,b",
      "offset=1 2",
      "offset=-2",
      "offset=9007199254740992",
      "offset=0&offset=1",
      "offset=0&live=x",
    ];
    for (const query of [...wrong, "live=long-poll", "live=sse"]) {
      assert.deepEqual(await problem(await get(`${LOG}?${query}`)), { status: 400, code: "invalid_value" }, query);
    }
    for (const query of ["offset=-1", "offset=now", "offset=now&live=long-poll", "offset=now&live=sse"]) {
      assert.equal((await problem(await get(`/workflows/nobody/streams/log?${query}`))).status, 404, query);
    }
    assert.equal((await get("/workflows/nobody/streams/log", {}, { method: "HEAD" })).status, 404);
  });
}

function caching(rule: Rule): void {
  const tagOf = async ({ get }: Service, query: string) => {
    const response = await get(`${LOG}?${query}`);
    await response.body?.cancel();
    return response.headers.get("etag")!;
  };
  rule("a read that has not changed is not sent again", async (service) => {
    const { get, write } = service;
    await write(1);
    const etag = await tagOf(service, "offset=-1");
    for (const tags of [etag, `"x", W/${etag}`, "*"]) {
      const response = await get(`${LOG}?offset=-1`, { "if-none-match": tags });
      assert.deepEqual([response.status, response.body, response.headers.get("etag")], [304, null, etag]);
      assert.deepEqual(told(response), { "stream-next-offset": "0000000000000001", "stream-up-to-date": "true" });
    }
    assert.equal((await (await get(`${LOG}?offset=-1`, { "if-none-match": '"x"' })).json()).length, 1);
  });
  rule("the tag of a read changes with its values, and with the end of the stream alone", async (service) => {
    await service.write(1);
    const tags = [await tagOf(service, "offset=-1")];
    await service.write(2);
    tags.push(await tagOf(service, "offset=-1"), await tagOf(service, "offset=1"));
    await service.tell("close");
    tags.push(await tagOf(service, "offset=-1"));
    assert.equal(new Set(tags).size, 4, tags.join());
  });
  rule("the tag of a read is that of its values: a workflow may be purged, and its ID used again", async (service) => {
    await service.tell({ write: "a" }, { write: "b", to: "other" }, { write: "a", to: "same" });
    const tags = await Promise.all(["log", "other", "same"].map(async (key) => {
      const response = await service.get(`/workflows/w/streams/${key}?offset=-1`);
      await response.body?.cancel();
      return response.headers.get("etag");
    }));
    assert.notEqual(tags[0], tags[1]);
    assert.equal(tags[0], tags[2]);
  });
  rule(
    "what is behind the end may be kept for a while, and what is at the end only with a question",
    async ({ get, tell }) => {
      await tell({ many: 1_001 });
      const cached = async (query: string) => {
        const response = await get(`${LOG}?${query}`);
        await response.body?.cancel();
        return [response.headers.get("cache-control"), response.headers.get("vary")];
      };
      assert.deepEqual(await cached("offset=-1"), [
        "private, max-age=60, stale-while-revalidate=300",
        "accept, authorization",
      ]);
      assert.deepEqual(await cached("offset=1000"), ["private, no-cache", "accept, authorization"]);
    },
  );
}

function longPoll(rule: Rule): void {
  rule("a long poll answers at once with what is there, else with what comes", async ({ get, write }) => {
    await write("a");
    const there = await get(`${LOG}?offset=-1&live=long-poll`);
    assert.deepEqual([await there.json(), there.headers.get("cache-control")], [["a"], "no-store"]);
    assert.match(there.headers.get("stream-cursor")!, /^\d+$/);
    const waiting = [get(`${LOG}?offset=1&live=long-poll`), get(`${LOG}?offset=now&live=long-poll`)];
    for (const it of waiting) it.catch(() => {});
    await delay(systemClock, 20);
    await write("b");
    for (const response of waiting) {
      assert.deepEqual(told(await response), { "stream-next-offset": "0000000000000002", "stream-up-to-date": "true" });
      assert.deepEqual(await (await response).json(), ["b"]);
    }
  });
  rule("a long poll to which nothing comes is over in time, and says where to go on", async ({ get, write }) => {
    await write("a");
    for (const offset of ["1", "now"]) {
      const began = performance.now();
      const response = await get(`${LOG}?offset=${offset}&live=long-poll`);
      assert(performance.now() - began >= 55);
      assert.deepEqual([response.status, response.body], [204, null]);
      assert.deepEqual(told(response), { "stream-next-offset": "0000000000000001", "stream-up-to-date": "true" });
      assert.match(response.headers.get("stream-cursor")!, /^\d+$/);
    }
  }, ENDS_SOON);
  rule(
    "a long poll at the end of a closed stream does not wait, and one that waits is told of the end",
    async ({ get, write, tell }) => {
      await write("a");
      const waiting = get(`${LOG}?offset=1&live=long-poll`);
      await tell("close");
      for (
        const response of [
          await waiting,
          await get(`${LOG}?offset=1&live=long-poll`),
          await get(`${LOG}?offset=now&live=long-poll`),
        ]
      ) {
        assert.equal(response.status, 204);
        const end = { "stream-next-offset": "0000000000000001", "stream-up-to-date": "true", "stream-closed": "true" };
        assert.deepEqual([told(response), response.headers.get("stream-cursor")], [end, null]);
      }
    },
  );
  rule(
    "a cursor is the number of an interval of 20 s, and always above the one that the client sent",
    async ({ get, write }) => {
      await write("a");
      const cursor = async (query: string) => {
        const response = await get(`${LOG}?offset=-1&live=long-poll${query}`);
        await response.body?.cancel();
        return Number(response.headers.get("stream-cursor"));
      };
      const now = (Date.now() - Date.UTC(2024, 9, 9)) / 20_000;
      for (const query of ["", "&cursor=5", "&cursor=x"]) {
        const given = await cursor(query);
        assert(Number.isInteger(given) && Math.abs(given - now) < 2, `${given} at ${now}`);
      }
      const { random } = Math;
      try {
        Math.random = () => 0;
        for (const given of [0, 1, 500].map((ahead) => Math.floor(now) + ahead)) {
          assert(
            await cursor(`&cursor=${given}`) > given,
          );
        }
      } finally {
        Math.random = random;
      }
    },
  );
}

/** What timers are set, and for how long, until it is disposed of. */
function timers(): Disposable & { readonly ms: number[] } {
  const { after } = systemClock;
  const ms: number[] = [];
  systemClock.after = (...args) => (ms.push(args[0]), after(...args));
  return { ms, [Symbol.dispose]: () => void (systemClock.after = after) };
}

function serverSent(rule: Rule): void {
  rule(
    "a poll lasts 30 s at most, and a connection a minute, whatever the server's own limits",
    async ({ get, write }) => {
      using set = timers();
      const polling = get(`${LOG}?offset=-1&live=long-poll`);
      await (await get(`${LOG}?offset=-1&live=sse`)).body?.cancel();
      // What is written before the poll waits would answer it at once.
      for (let looks = 0; looks < 10_000 && !set.ms.includes(30_000); looks++) await nextTask();
      await write(1);
      await (await polling).body?.cancel();
      assert(set.ms.includes(30_000) && set.ms.includes(60_000), String(set.ms));
      assert(!set.ms.includes(180_000) && !set.ms.includes(300_000), String(set.ms));
    },
    { maxWait: "3m", maxConnection: "5m" },
  );
  const control = (event: { event?: string; data?: string }) => {
    assert.equal(event.event, "control");
    const { streamCursor, ...rest } = JSON.parse(event.data!);
    return { ...rest, cursor: typeof streamCursor === "string" && /^\d+$/.test(streamCursor) };
  };
  rule(
    "live=sse sends values as lists, a control event behind each, and ends with the stream",
    async ({ get, write, tell }) => {
      await write("a\nb", 2);
      // Whatever else the caller would take.
      const response = await get(`${LOG}?offset=-1&live=sse`, { accept: "application/json" });
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      assert.equal(response.headers.get("cache-control"), "no-cache, no-store, no-transform");
      const sent = sentEvents(response);
      const [data, first] = await take(sent, 2);
      assert.deepEqual(data, { event: "data", data: '["a\\nb",2]' });
      assert.deepEqual(control(first!), { streamNextOffset: "0000000000000002", upToDate: true, cursor: true });
      await write(3);
      const [more, second] = await take(sent, 2);
      assert.deepEqual([more?.data, control(second!).streamNextOffset], ["[3]", "0000000000000003"]);
      await tell("close");
      const [last] = await take(sent, 1);
      const end = { streamNextOffset: "0000000000000003", upToDate: true, streamClosed: true, cursor: false };
      assert.deepEqual([control(last!), (await sent.next()).done], [end, true]);
    },
  );
  rule("live=sse writes no space behind the colon of data, as the protocol's server does", async (service) => {
    await service.write(" a", 2);
    await service.tell("close");
    const text = await (await service.get(`${LOG}?offset=-1&live=sse`)).text();
    assert.match(text, /^event: data\ndata:\[" a",2\]\n\nevent: control\ndata:\{[^\n]*\}\n\n/);
    assert(!/^data: /m.test(text), text);
  });
  rule("live=sse says at once where it is, where nothing is there and at offset=now", async ({ get, write }) => {
    const empty = sentEvents(await get(`${LOG}?offset=-1&live=sse`));
    assert.deepEqual(control((await take(empty, 1))[0]!), {
      streamNextOffset: "0000000000000000",
      upToDate: true,
      cursor: true,
    });
    await empty.return(undefined);
    await write(1);
    const now = sentEvents(await get(`${LOG}?offset=now&live=sse&cursor=${1e9}`));
    const [first] = await take(now, 1);
    assert.deepEqual(control(first!), { streamNextOffset: "0000000000000001", upToDate: true, cursor: true });
    assert(Number(JSON.parse(first!.data!).streamCursor) > 1e9);
    await now.return(undefined);
  });
}
