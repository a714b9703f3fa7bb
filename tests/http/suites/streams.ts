/**
 * Streams over HTTP: parts as JSON, and live as Server-Sent Events and lines.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeValue } from "../../../http/envelope.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { lines, problem, sentEvents, serve, type Service, type ServiceOptions, take } from "../support/service.ts";

const LOG = "/workflows/w/streams/log";
const SSE = { accept: "text/event-stream" };
const LINES = { accept: "application/x-ndjson" };
const ENCODED = { accept: "application/vnd.parley+json" };
const ENCODED_LINES = { accept: "application/vnd.parley+ndjson" };

/** Registers the tests. */
export function streams(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule = (name: string, run: (service: Service) => Promise<void>, options: ServiceOptions = {}) =>
    test(name, async () => {
      await using harness = await makeHarness();
      await using service = await serve(harness, options);
      await run(service);
    });
  parts(rule);
  types(rule);
  events(rule);
  ndjson(rule);
}

type Rule = (name: string, run: (service: Service) => Promise<void>, options?: ServiceOptions) => void;

function parts(rule: Rule): void {
  rule("a stream as JSON is what is there, from an offset on, and where to read on", async ({ get, write }) => {
    await write("a", { b: 1 }, null);
    const all = await get(LOG);
    assert.deepEqual(await all.json(), { values: ["a", { b: 1 }, null], nextOffset: 3, closed: false });
    assert.deepEqual([all.headers.get("content-type"), all.headers.get("cache-control")], [
      "application/json",
      "no-store",
    ]);
    assert.equal(all.headers.get("vary"), "accept, authorization");
    assert.deepEqual(await (await get(`${LOG}?from=1&limit=1`)).json(), {
      values: [{ b: 1 }],
      nextOffset: 2,
      closed: false,
    });
    assert.deepEqual(await (await get(`${LOG}?from=3`)).json(), { values: [], nextOffset: 3, closed: false });
  });
  rule("a stream as JSON is closed where nothing will come any more, and not before", async ({ get, write, tell }) => {
    await write(1, 2);
    await tell("close");
    assert.deepEqual(await (await get(`${LOG}?limit=1`)).json(), { values: [1], nextOffset: 1, closed: false });
    assert.deepEqual(await (await get(LOG)).json(), { values: [1, 2], nextOffset: 2, closed: true });
    assert.deepEqual(await (await get("/workflows/w/streams/other")).json(), {
      values: [],
      nextOffset: 0,
      closed: false,
    });
    await tell("end");
    assert.deepEqual(await (await get("/workflows/w/streams/other?wait=1m")).json(), {
      values: [],
      nextOffset: 0,
      closed: true,
    });
  });
  rule("a stream as JSON tells in its headers whether there is more already", async ({ get, write }) => {
    await write(1, 2);
    const [part, all] = [await get(`${LOG}?limit=1`), await get(LOG)];
    assert.deepEqual([part.headers.get("stream-up-to-date"), all.headers.get("stream-up-to-date")], [null, "true"]);
    await Promise.all([part.body?.cancel(), all.body?.cancel()]);
  });
  rule(
    "a stream as JSON waits for a value, by the parameter or the header Prefer, and no longer than it may",
    async ({ get, write }) => {
      const waiting = [get(`${LOG}?wait=5s`), get(LOG, { prefer: "wait=5" })];
      await write("late");
      for (const response of waiting) {
        assert.deepEqual(await (await response).json(), {
          values: ["late"],
          nextOffset: 1,
          closed: false,
        });
      }
      const began = performance.now();
      assert.deepEqual(await (await get(`${LOG}?from=1&wait=50ms`)).json(), {
        values: [],
        nextOffset: 1,
        closed: false,
      });
      assert(performance.now() - began >= 45);
    },
  );
  rule(
    "what JSON does not know is what comes nearest, and comes back equal in the library's own encoding",
    async ({ get, write }) => {
      const values = [undefined, 10n, new Date(5), new Map([["a", new Set([1])]]), -0, new Uint8Array([1, 2])];
      await write(...values);
      const plain = await (await get(LOG)).json();
      assert.deepEqual(plain.values, [null, "10", "1970-01-01T00:00:00.005Z", { a: [1] }, 0, "AQI="]);
      const encoded = await get(LOG, ENCODED);
      assert.equal(encoded.headers.get("content-type"), "application/vnd.parley+json");
      const page = await encoded.json();
      assert.deepEqual({ ...page, values: page.values.map(decodeValue) }, { values, nextOffset: 6, closed: false });
    },
  );
  rule(
    "parameters that are not legal are refused, and so is a workflow that does not exist, whatever the type",
    async ({ get }) => {
      for (const query of ["from=-1", "from=x", "limit=0", "limit=1001", "wait=soon"]) {
        assert.deepEqual(await problem(await get(`${LOG}?${query}`)), { status: 400, code: "invalid_value" }, query);
      }
      assert.equal((await problem(await get(LOG, { ...SSE, "last-event-id": "x" }))).status, 400);
      for (const headers of [{}, SSE, LINES, ENCODED_LINES]) {
        assert.deepEqual(await problem(await get("/workflows/nobody/streams/log", headers)), {
          status: 404,
          code: "workflow_not_found",
        });
      }
    },
  );
}

function types(rule: Rule): void {
  const CHOSEN: readonly (readonly [accept: string, type: string])[] = [
    ["*/*", "application/json"],
    ["application/*", "application/json"],
    ["text/*", "text/event-stream"],
    ["text/html, text/event-stream;q=0.5", "text/event-stream"],
    ["application/json;q=0.5, application/x-ndjson;q=0.6", "application/x-ndjson"],
    ["*/*;q=0.1, application/ndjson;q=0.2", "application/ndjson"],
    ["*/*, text/event-stream", "text/event-stream"],
    ["application/json;q=0, */*;q=0.1", "application/vnd.parley+json"],
    ["APPLICATION/JSON ; charset=utf-8", "application/json"],
    ["application/vnd.parley+ndjson", "application/vnd.parley+ndjson"],
  ];
  rule("a stream comes as the header Accept says: by quality, then by how exact it is", async ({ get }) => {
    const got: string[][] = [];
    for (const [accept] of CHOSEN) {
      const response = await get(LOG, { accept });
      await response.body?.cancel();
      got.push([accept, response.headers.get("content-type") ?? ""]);
    }
    assert.deepEqual(got, CHOSEN);
  });
  rule("a stream for who takes none of its types is refused", async ({ get }) => {
    for (const accept of ["text/html", "*/*;q=0", "application/json;q=0", "image/*"]) {
      assert.deepEqual(await problem(await get(LOG, { accept })), { status: 406, code: "not_acceptable" }, accept);
    }
  });
}

function events(rule: Rule): void {
  rule(
    "a stream as Server-Sent Events has an ID for each value, and an event for its end",
    async ({ get, write, tell }) => {
      await write("a\nb", { c: 1 });
      const response = await get(LOG, SSE);
      const headers = ["content-type", "cache-control", "x-accel-buffering"].map((name) => response.headers.get(name));
      assert.deepEqual(headers, ["text/event-stream", "no-store, no-transform", "no"]);
      const sent = sentEvents(response);
      assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
      assert.deepEqual(await take(sent, 2), [{ id: "0", data: '"a\\nb"' }, { id: "1", data: '{"c":1}' }]);
      await write(undefined);
      await tell("close");
      assert.deepEqual(await take(sent, 2), [{ id: "2", data: "null" }, {
        event: "end",
        id: "end:3",
        data: '{"nextOffset":3}',
      }]);
      assert.equal((await sent.next()).done, true);
    },
  );
  rule("a stream that is empty opens at once", async ({ get }) => {
    const sent = sentEvents(await get(LOG, SSE));
    assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
    await sent.return(undefined);
    const blank = lines(await get(LOG, LINES));
    assert.deepEqual(await take(blank, 1), [""]);
    await blank.return(undefined);
  });
  rule("Server-Sent Events go on behind Last-Event-ID, whatever the URL says", async ({ get, write, tell }) => {
    await write(0, 1, 2);
    await tell("end");
    const after = async (path: string, id: string) => {
      const all = await Array.fromAsync(sentEvents(await get(path, { ...SSE, "last-event-id": id })));
      return all.flatMap(({ id }) => id ?? []);
    };
    assert.deepEqual(await after(LOG, "0"), ["1", "2", "end:3"]);
    assert.deepEqual(await after(`${LOG}?from=2`, "0"), ["1", "2", "end:3"]);
    assert.deepEqual(await after(`${LOG}?from=1`, ""), ["1", "2", "end:3"]);
    assert.deepEqual(await after(LOG, "2"), ["end:3"]);
  });
  rule("who was told of the end and comes back is told to stay away, unless the workflow went on", async (service) => {
    const { get, write, tell, handle, resume } = service;
    await write(0);
    await handle.cancel();
    const back = { ...SSE, "last-event-id": "end:1" };
    assert.equal((await get(LOG, back)).status, 204);
    await resume();
    const sent = sentEvents(await get(LOG, back));
    assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
    await write(1);
    assert.deepEqual(await take(sent, 1), [{ id: "1", data: "1" }]);
    await sent.return(undefined);
    await tell("end");
    const ids = (await Array.fromAsync(sentEvents(await get(LOG, back)))).flatMap(({ id }) => id ?? []);
    assert.deepEqual(ids, ["1", "end:2"]);
    assert.equal((await get(LOG, { ...SSE, "last-event-id": "end:2" })).status, 204);
  });
}

function ndjson(rule: Rule): void {
  rule("a stream as lines has a line for each value and one for the end", async ({ get, write, tell }) => {
    await write("a");
    const reading = lines(await get(`${LOG}?from=1`, LINES));
    await write("b", undefined);
    await tell("end");
    const all = (await Array.fromAsync(reading)).filter((line) => line !== "").map((line) => JSON.parse(line));
    assert.deepEqual(all, [{ offset: 1, value: "b" }, { offset: 2, value: null }, { end: true, nextOffset: 3 }]);
  });
  rule("lines in the library's own encoding come back equal", async ({ get, write, tell }) => {
    await write(new Date(5), undefined, { end: true, nextOffset: 7 });
    await tell("close");
    const all = await Array.fromAsync(lines(await get(LOG, ENCODED_LINES)), (line) => {
      const { value, ...place } = JSON.parse(line);
      return value === undefined ? place : { ...place, value: decodeValue(value) };
    });
    assert.deepEqual(all, [
      { offset: 0, value: new Date(5) },
      { offset: 1, value: undefined },
      { offset: 2, value: { end: true, nextOffset: 7 } },
      { end: true, nextOffset: 3 },
    ]);
  });
}
