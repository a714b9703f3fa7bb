/**
 * Several streams and events of a workflow over one connection.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { type AuthRequest, scopedTokens } from "../../../http/mod.ts";
import {
  lines,
  problem,
  type SentEvent,
  sentEvents,
  serve,
  type Service,
  type ServiceOptions,
  take,
} from "../support/service.ts";

const SSE = { accept: "text/event-stream" };
const LINES = { accept: "application/x-ndjson" };
const LIVE = "/workflows/w/live";
/** Two streams and an event, not in the order of their positions. */
const ALL = `${LIVE}?event=state&stream=a&stream=b`;

/** Registers the tests. */
export function live(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule: Rule = (name, run, options = {}) =>
    test(name, async () => {
      await using harness = await makeHarness();
      await using service = await serve(harness, options);
      await run(service);
    });
  carrying(rule);
  resuming(rule);
  refusing(rule);
}

type Rule = (name: string, run: (service: Service) => Promise<void>, options?: ServiceOptions) => void;

/** The events of a body as `[event, id, data]`, without comments and pauses. */
async function eventsOf(response: Response): Promise<[string | undefined, string | undefined, unknown][]> {
  return (await Array.fromAsync(sentEvents(response))).filter(isNews).map(toNews);
}

function isNews({ data }: SentEvent): boolean {
  return data !== undefined;
}

function toNews({ event, id, data }: SentEvent): [string | undefined, string | undefined, unknown] {
  return [event, id, JSON.parse(data!)];
}

function carrying(rule: Rule): void {
  rule("several streams and events come over one connection, each value with the position of all", async (service) => {
    const { get, tell } = service;
    const response = await get(ALL, SSE);
    assert.deepEqual([response.headers.get("content-type"), response.headers.get("cache-control")], [
      "text/event-stream",
      "no-store, no-transform",
    ]);
    const sent = sentEvents(response);
    assert.match((await take(sent, 1))[0]?.retry ?? "", /^1\d{3}$/);
    const next = async () => toNews((await take(sent, 1, isNews))[0]!);
    await tell({ write: "one", to: "b" });
    assert.deepEqual(await next(), [undefined, "0.1.0", { stream: "b", offset: 0, value: "one" }]);
    await tell({ set: undefined });
    assert.deepEqual(await next(), [undefined, "0.1.1", { event: "state", version: 1, value: null }]);
    await tell({ write: { n: 1n }, to: "a" });
    assert.deepEqual(await next(), [undefined, "1.1.1", { stream: "a", offset: 0, value: { n: "1" } }]);
    await tell("end");
    assert.deepEqual([await next(), await next()].map((it) => JSON.stringify(it)).toSorted(), [
      '["closed","1.1.1",{"stream":"a","nextOffset":1}]',
      '["closed","1.1.1",{"stream":"b","nextOffset":1}]',
    ]);
    assert.deepEqual(await next(), ["end", "end:1.1.1", {}]);
    assert.equal((await sent.next()).done, true);
  });
  rule("a stream that is closed ends alone", async ({ get, tell }) => {
    await tell({ write: 1 }, "close");
    const sent = sentEvents(await get(`${LIVE}?stream=log&event=state`, SSE));
    assert.deepEqual((await take(sent, 2, isNews)).map(toNews), [
      [undefined, "1.0", { stream: "log", offset: 0, value: 1 }],
      ["closed", "1.0", { stream: "log", nextOffset: 1 }],
    ]);
    await tell({ set: "later" });
    assert.deepEqual((await take(sent, 1, isNews)).map(toNews), [
      [undefined, "1.1", { event: "state", version: 1, value: "later" }],
    ]);
    await sent.return(undefined);
    assert.deepEqual(await eventsOf(await get(`${LIVE}?stream=log`, SSE)), [
      [undefined, "1", { stream: "log", offset: 0, value: 1 }],
      ["closed", "1", { stream: "log", nextOffset: 1 }],
      ["end", "end:1", {}],
    ]);
  });
  rule("lines of JSON have the same, plain or encoded", async ({ get, tell }) => {
    const when = new Date(0);
    await tell({ write: when, to: "a" }, { set: when }, "end");
    for (
      const [accept, value] of [
        ["application/x-ndjson", when.toISOString()],
        ["application/vnd.parley+ndjson", [["Date", when.toISOString()]]],
      ] as const
    ) {
      const response = await get(`${LIVE}?stream=a&event=state`, { accept });
      assert.equal(response.headers.get("content-type"), accept);
      const all = (await Array.fromAsync(lines(response))).filter((line) => line !== "");
      assert.equal(all.at(-1), '{"end":true}');
      const sorted = all.slice(0, -1).map((line) => JSON.parse(line)).toSorted((a, b) =>
        JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
      );
      assert.deepEqual(sorted, [
        { event: "state", version: 1, value },
        { stream: "a", closed: true, nextOffset: 1 },
        { stream: "a", offset: 0, value },
      ]);
    }
  });
  rule("a stream with a long past does not hold up the others", async ({ get, tell }) => {
    await tell({ many: 20, padding: 200_000 }, { write: "short", to: "b" }, { set: "now" }, "end");
    const all = await eventsOf(await get(`${LIVE}?stream=log&stream=b&event=state`, SSE));
    const places = all.map(([, , data]) => data as { stream?: string; event?: string; offset?: number });
    const lastOfLong = places.findIndex(({ stream, offset }) => stream === "log" && offset === 19);
    assert(places.findIndex(({ stream }) => stream === "b") < lastOfLong);
    assert(places.findIndex(({ event }) => event === "state") < lastOfLong);
  });
  rule("every legal key is carried, and no two are taken for each other", async ({ get, tell }) => {
    const keys = ["a.b", "end:", "1", "__proto__", "a,b", "a&stream=b", "%2F", "new\nline", "🙂", "x".repeat(255)];
    await tell(...keys.map((to) => ({ write: to, to })), ...keys.map((to) => ({ set: to, to })), "end");
    const query = new URLSearchParams(keys.flatMap((key) => [["stream", key], ["event", key]]));
    const all = await eventsOf(await get(`${LIVE}?${query}`, SSE));
    const data = all.map(([, , it]) => it as { stream?: string; event?: string; value?: string });
    for (const kind of ["stream", "event"] as const) {
      const seen = data.filter((it) => kind in it && "value" in it);
      assert.deepEqual(seen.map((it) => it[kind]).toSorted(), keys.toSorted());
      for (const it of seen) assert.equal(it.value, it[kind]);
    }
    assert.equal(all.at(-1)?.[1], `end:${keys.concat(keys).map(() => 1).join(".")}`);
  });
}

function resuming(rule: Rule): void {
  rule("a page that reconnects after any event misses nothing and gets nothing twice", async ({ get, tell }) => {
    const writes = ["a", "b", "a", "a", "b"].map((to, n) => ({ write: n, to }));
    await tell(...writes, { set: "state" }, "end");
    const whole = await eventsOf(await get(ALL, SSE));
    const values = (events: typeof whole) =>
      events.map(([, , data]) => JSON.stringify(data)).filter((text) => text.includes("value")).toSorted();
    assert.equal(values(whole).length, 6);
    for (const [index, [event, id]] of whole.entries()) {
      for (const [path, headers] of [[ALL, { "last-event-id": id! }], [`${ALL}&after=${id}`, {}]] as const) {
        const response = await get(path, { ...SSE, ...headers });
        if (event === "end") {
          assert.equal(response.status, 204);
          continue;
        }
        const rest = await eventsOf(response);
        assert.deepEqual(values([...whole.slice(0, index + 1), ...rest]), values(whole), `cut at ${id}`);
        assert.equal(rest.at(-1)?.[0], "end");
      }
      if (event === "end") continue;
      const rest = await Array.fromAsync(lines(await get(`${ALL}&after=${id}`, LINES)));
      assert.equal(rest.filter((line) => line.includes("value")).length, 6 - values(whole.slice(0, index + 1)).length);
    }
  });
  rule("the header Last-Event-ID counts before the parameter after", async ({ get, tell }) => {
    await tell({ write: 1 }, { write: 2 }, "end");
    const after = async (path: string, headers: Record<string, string>) =>
      (await eventsOf(await get(`${LIVE}?stream=log${path}`, { ...SSE, ...headers }))).map(([, id]) => id);
    assert.deepEqual(await after("&after=1", {}), ["2", "2", "end:2"]);
    assert.deepEqual(await after("&after=1", { "last-event-id": "2" }), ["2", "end:2"]);
    assert.deepEqual(await after("&after=", {}), ["1", "2", "2", "end:2"]);
  });
  rule("a page that saw the end gets what came since", async ({ get, tell, handle, resume }) => {
    await tell({ write: 1, to: "a" }, { set: 1 });
    await handle.cancel();
    const seen = { ...SSE, "last-event-id": "end:1.0.1" };
    assert.equal((await get(ALL, seen)).status, 204);
    // These have missed something, whatever they say.
    for (const id of ["end:0.0.1", "end:1.0.0"]) {
      const response = await get(ALL, { ...SSE, "last-event-id": id });
      assert.equal(response.status, 200);
      await response.body?.cancel();
    }
    await resume();
    const sent = sentEvents(await get(ALL, seen));
    await tell({ write: 2, to: "b" });
    assert.deepEqual((await take(sent, 1, isNews)).map(toNews), [
      [undefined, "1.1.1", { stream: "b", offset: 0, value: 2 }],
    ]);
    await sent.return(undefined);
  });
  rule("a page that is ahead of one of them starts again with all", async ({ get, tell }) => {
    await tell({ write: 1, to: "a" }, { set: 1 }, "end");
    for (const id of ["2.0.1", "1.1.1", "1.0.2", "end:1.0.2", "end:9.9.9"]) {
      const [reset, ...rest] = await eventsOf(await get(ALL, { ...SSE, "last-event-id": id }));
      assert.deepEqual(reset, ["reset", undefined, { after: "0.0.0" }], id);
      assert.deepEqual(rest.filter(([event]) => event === undefined).length, 2, id);
      assert.deepEqual(rest.at(-1), ["end", "end:1.0.1", {}]);
    }
    const refused = async (id: string) => await problem(await get(`${ALL}&after=${id}`, LINES));
    assert.deepEqual(await refused("2.0.1"), { status: 416, code: "offset_out_of_range" });
    assert.deepEqual(await refused("1.0.2"), { status: 416, code: "version_out_of_range" });
  });
}

function refusing(rule: Rule): void {
  rule("an ID that is not of this URL is refused, from the header and the parameter", async ({ get }) => {
    const ids = ["x", "1", "1.1", "1.1.1.1", "1.1.", ".1.1", "1..1", "-1.1.1", "1.1.1 ", "1.1.1e3", "1.1.0x1", "end:"];
    ids.push("END:1.1.1", "end:end:1.1.1", "1.1.9999999999999999", "1,1,1", "1.1.1\u00b2", "1.".repeat(5_000));
    for (const id of ids) {
      assert.equal((await get(`${ALL}&after=${encodeURIComponent(id)}`, SSE)).status, 400, id);
      assert.equal((await get(`${ALL}&after=${encodeURIComponent(id)}`, LINES)).status, 400, id);
      if (id.trim() === id && id.length < 1_000) {
        assert.deepEqual(await problem(await get(ALL, { ...SSE, "last-event-id": id })), {
          status: 400,
          code: "invalid_value",
        });
      }
    }
  });
  rule("there must be 1 to 20 keys, each once and legal", async ({ get }) => {
    const keys = (count: number) => Array.from({ length: count }, (_, n) => `stream=${n}`).join("&");
    const wrong = ["", keys(21), `${keys(20)}&event=x`, keys(5_000), "stream=a&stream=a", "event=a&event=a", "stream="];
    wrong.push("event=%00", `stream=${"x".repeat(256)}`, "streams=a");
    for (const query of wrong) {
      for (const headers of [SSE, LINES]) {
        const answer = await problem(await get(`${LIVE}?${query}`, headers));
        assert.deepEqual(answer, { status: 400, code: "invalid_value" }, query.slice(0, 80));
      }
    }
    assert.equal((await get(`${LIVE}?stream=a`, { accept: "application/json" })).status, 406);
    const most = await get(`${LIVE}?${keys(19)}&event=0`, SSE);
    assert.equal(most.status, 200);
    await most.body?.cancel();
  });
  rule("a workflow that does not exist is not found, also by its events alone", async ({ get }) => {
    for (const query of ["stream=a", "event=a", "stream=a&event=a", "event=a&after=1"]) {
      for (const headers of [SSE, LINES]) {
        const answer = await problem(await get(`/workflows/nobody/live?${query}`, headers));
        assert.deepEqual([answer.status, answer.code], [404, "workflow_not_found"], query);
      }
    }
  });

  const asked: AuthRequest[] = [];
  rule("an auth is asked for each stream and each event", async ({ get }) => {
    const ask = async (path: string) => {
      asked.splice(0);
      const response = await get(path, SSE);
      await response.body?.cancel();
      return [response.status, asked.map(({ action, key }) => [action, key])] as const;
    };
    assert.deepEqual(await ask(ALL), [200, [["stream", "a"], ["stream", "b"], ["event", "state"]]]);
    assert(asked.every(({ workflowId }) => workflowId === "w"));
    assert.deepEqual(await ask(LIVE), [400, [["stream", undefined]]]);
    assert.deepEqual(await ask(`${LIVE}?stream=a&event=secret&stream=b`), [401, [
      ["stream", "a"],
      ["stream", "b"],
      ["event", "secret"],
    ]]);
    const many = Array.from({ length: 1_000 }, (_, n) => `stream=${n}`).join("&");
    const [status, all] = await ask(`${LIVE}?${many}`);
    assert.deepEqual([status, all.length], [400, 20]);
  }, { auth: (_c, request) => (asked.push(request), request.key !== "secret") });

  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  rule("a token must allow every stream and event", async ({ get }) => {
    const status = async (query: string, scope: { actions: AuthRequest["action"][]; keys?: string[] }) => {
      const token = await tokens.mint({ ...scope, workflowId: "w", expiresIn: "5m" });
      const response = await get(`${LIVE}?${query}&token=${token}`, { ...SSE, authorization: "" });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await status("stream=a&event=b", { actions: ["stream", "event"], keys: ["a", "b"] }), 200);
    assert.equal(await status("stream=a&event=b", { actions: ["stream", "event"], keys: ["a"] }), 403);
    assert.equal(await status("stream=a&event=b", { actions: ["stream", "event"], keys: ["b"] }), 403);
    assert.equal(await status("stream=a&event=b", { actions: ["stream"] }), 403);
    assert.equal(await status("stream=a&event=b", { actions: ["event"] }), 403);
    assert.equal(await status("event=b", { actions: ["event"] }), 200);
    assert.equal((await get(`${LIVE}?stream=a`, { ...SSE, authorization: "Bearer x" })).status, 401);
  }, { auth: tokens });
}
