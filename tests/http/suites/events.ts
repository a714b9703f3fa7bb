/**
 * Events over HTTP: once as JSON, and each value live.
 *
 * @module
 */

import assert from "node:assert/strict";
import { devalueCodec } from "../../../mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { lines, problem, sentEvents, serve, type Service, take } from "../support/service.ts";

const STATE = "/workflows/w/events/state";
const SSE = { accept: "text/event-stream" };

/** Registers the tests. */
export function events(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule = (name: string, run: (service: Service) => Promise<void>) =>
    test(name, async () => {
      await using harness = await makeHarness();
      await using service = await serve(harness);
      await run(service);
    });
  once(rule);
  live(rule);
}

type Rule = (name: string, run: (service: Service) => Promise<void>) => void;

function once(rule: Rule): void {
  rule("an event is its latest value, and which one it is", async ({ get, tell }) => {
    await tell({ set: "first" }, { set: null });
    const response = await get(STATE);
    assert.deepEqual(await response.json(), { value: null, version: 2 });
    assert.deepEqual([response.headers.get("content-type"), response.headers.get("cache-control")], [
      "application/json",
      "no-store",
    ]);
    await tell({ set: undefined });
    assert.deepEqual(await (await get(STATE)).json(), { value: null, version: 3 });
    const encoded = await get(STATE, { accept: "application/vnd.parley+json" });
    assert.equal(encoded.headers.get("content-type"), "application/vnd.parley+json");
    assert.deepEqual(await encoded.json(), { value: -1, version: 3 });
  });
  rule(
    "an event that is not there is waited for, also of a workflow that does not exist, and no longer than asked",
    async ({ get }) => {
      assert.deepEqual(await problem(await get(STATE)), { status: 408, code: "timeout" });
      const began = performance.now();
      assert.deepEqual(await problem(await get("/workflows/nobody/events/state?wait=50ms")), {
        status: 408,
        code: "timeout",
      });
      assert(performance.now() - began >= 45);
    },
  );
  rule("an event is waited for by the parameter or the header Prefer", async ({ get, tell }) => {
    const waiting = [get(`${STATE}?wait=5s`), get(STATE, { prefer: "respond-async, wait=5" })];
    await tell({ set: "url" });
    for (const response of waiting) assert.deepEqual(await (await response).json(), { value: "url", version: 1 });
  });
  rule("an event above a version is waited for", async ({ get, tell }) => {
    await tell({ set: 1 });
    assert.deepEqual(await (await get(`${STATE}?after=0`)).json(), { value: 1, version: 1 });
    assert.equal((await problem(await get(`${STATE}?after=1`))).status, 408);
    const waiting = get(`${STATE}?after=1&wait=5s`);
    await tell({ set: 2 });
    assert.deepEqual(await (await waiting).json(), { value: 2, version: 2 });
    assert.equal((await problem(await get(`${STATE}?after=x`))).status, 400);
    assert.equal((await problem(await get(STATE, { accept: "text/html" }))).status, 406);
  });
}

function live(rule: Rule): void {
  rule(
    "an event as Server-Sent Events has its version as the ID of each value, and tells of the end of the workflow",
    async (service) => {
      const { get, tell } = service;
      const response = await get(STATE, SSE);
      assert.deepEqual([response.headers.get("content-type"), response.headers.get("cache-control")], [
        "text/event-stream",
        "no-store, no-transform",
      ]);
      const sent = sentEvents(response);
      assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
      await tell({ set: "paid" });
      assert.deepEqual(await take(sent, 1), [{ id: "1", data: '"paid"' }]);
      await tell({ set: undefined });
      assert.deepEqual(await take(sent, 1), [{ id: "2", data: "null" }]);
      await tell("end");
      assert.deepEqual(await take(sent, 1), [{ event: "end", id: "end:2", data: '{"version":2}' }]);
      assert.equal((await sent.next()).done, true);
    },
  );
  rule(
    "Server-Sent Events of an event go on behind Last-Event-ID, or else behind the parameter",
    async ({ get, tell }) => {
      await tell({ set: 1 }, { set: 2 }, "end");
      const ids = async (path: string, headers: Record<string, string>) =>
        (await Array.fromAsync(sentEvents(await get(path, { ...SSE, ...headers })))).flatMap(({ id }) => id ?? []);
      assert.deepEqual(await ids(STATE, {}), ["2", "end:2"]);
      assert.deepEqual(await ids(STATE, { "last-event-id": "1" }), ["2", "end:2"]);
      assert.deepEqual(await ids(`${STATE}?after=2`, {}), ["end:2"]);
      assert.deepEqual(await ids(STATE, { "last-event-id": "2" }), ["end:2"]);
      assert.deepEqual(await ids(`${STATE}?after=2`, { "last-event-id": "1" }), ["2", "end:2"]);
      assert.equal((await problem(await get(STATE, { ...SSE, "last-event-id": "-1" }))).status, 400);
    },
  );
  rule(
    "who was told of the end of an event's workflow and comes back is told to stay away, unless something came since",
    async (service) => {
      const { get, tell, handle, resume } = service;
      await tell({ set: 1 });
      await handle.cancel();
      assert.equal((await get(STATE, { ...SSE, "last-event-id": "end:1" })).status, 204);
      assert.deepEqual(
        (await Array.fromAsync(sentEvents(await get(STATE, { ...SSE, "last-event-id": "end:0" })))).length,
        3,
      );
      await resume();
      const sent = sentEvents(await get(STATE, { ...SSE, "last-event-id": "end:1" }));
      assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
      await sent.return(undefined);
    },
  );
  rule("an event as lines has a line for each value and one for the end", async ({ get, tell }) => {
    const types = ["application/x-ndjson", "application/vnd.parley+ndjson"];
    const reading = await Promise.all(types.map(async (accept) => lines(await get(STATE, { accept }))));
    await tell({ set: new Date(5) }, "end");
    const [plain, encoded] = await Promise.all(
      reading.map(async (it) => (await Array.fromAsync(it)).filter((line) => line !== "")),
    );
    const end = { end: true, version: 1 };
    assert.deepEqual(plain?.map((it) => JSON.parse(it)), [{ version: 1, value: "1970-01-01T00:00:00.005Z" }, end]);
    assert.deepEqual(encoded?.map((it) => JSON.parse(it)), [{
      version: 1,
      value: JSON.parse(devalueCodec.encode(new Date(5))),
    }, end]);
  });
  rule("HEAD of an event that is watched reads nothing", async ({ get }) => {
    const response = await get(STATE, SSE, { method: "HEAD" });
    assert.deepEqual([response.status, response.body, response.headers.get("content-type")], [
      200,
      null,
      "text/event-stream",
    ]);
  });
}
