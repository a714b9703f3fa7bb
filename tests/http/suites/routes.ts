/**
 * What each route does.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules } from "../../../conformance/suite.ts";
import { decodeValue, encodeValue, envelope } from "../../../http/envelope.ts";
import { echo, failing, listener, publisher, serve } from "../support/setup.ts";
import { VALUES } from "../support/values.ts";

const ENCODED = { "content-type": "application/vnd.parley+json", "accept": "application/vnd.parley+json" };

/** Registers the tests. */
export function routes(test: RegisterTest, makeHarness: MakeHarness): void {
  registerSuite(
    {
      name: "routes",
      rules: [starting, looking, sending, scheduling, encodings],
    },
    test,
    makeHarness,
  );
}

const starting: Rules = {
  "POST /workflows starts a workflow: 201, and 200 with the same answer but one word if it existed": async (
    harness,
  ) => {
    const { call, json } = serve(harness);
    const body = { workflow: "echo", input: { a: 1 }, workflowId: "w 1" };
    const created = await call("POST /workflows", { body });
    assert.equal(created.status, 201);
    assert.equal(created.headers.get("location"), "/parley/workflows/w%201");
    assert.deepEqual(await created.json(), { workflowId: "w 1", created: true });
    const again = await call("POST /workflows", { body });
    assert.equal(again.status, 200);
    assert.equal(again.headers.get("location"), "/parley/workflows/w%201");
    assert.deepEqual(await again.json(), { workflowId: "w 1", created: false });
    assert.deepEqual(await json("GET /workflows/w%201/result?wait=5s", 200), { a: 1 });
  },

  "POST /workflows takes the ID as Idempotency-Key, makes one up, and refuses two that differ": async (harness) => {
    const { json } = serve(harness);
    const headers = { "idempotency-key": "by-header" };
    const body = { workflow: "echo", enqueue: true };
    assert.deepEqual(await json("POST /workflows", 201, { body, headers }), {
      workflowId: "by-header",
      created: true,
    });
    assert.deepEqual(await json("POST /workflows", 200, { body: { ...body, workflowId: "by-header" }, headers }), {
      workflowId: "by-header",
      created: false,
    });
    assert.equal(
      (await json("POST /workflows", 400, { body: { ...body, workflowId: "other" }, headers })).code,
      "invalid_value",
    );
    assert.match(String((await json("POST /workflows", 201, { body })).workflowId), /^[0-9a-f-]{36}$/);
  },

  "POST /workflows refuses a name that is not known, unless it is to be enqueued, and an ID of another name": async (
    harness,
  ) => {
    const { json } = serve(harness);
    assert.equal((await json("POST /workflows", 422, { body: { workflow: "unknown" } })).code, "unknown_workflow");
    await json("POST /workflows", 201, { body: { workflow: "unknown", workflowId: "w", enqueue: true } });
    const conflict = await json("POST /workflows", 409, { body: { workflow: "echo", workflowId: "w" } });
    assert.deepEqual([conflict.code, conflict.workflowId], ["workflow_conflict", "w"]);
  },
};

const looking: Rules = {
  "GET /workflows/:id shows a workflow, and no stack of its failure at any depth": async (harness) => {
    const { call, json, parley, world } = serve(harness);
    assert.equal((await json("GET /workflows/w", 404)).code, "workflow_not_found");
    await parley.start(failing, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    const { status, error, createdAt } = await json("GET /workflows/w", 200);
    assert.equal(status, "ERROR");
    assert.equal(typeof createdAt, "number");
    assert.deepEqual(error, {
      name: "TypeError",
      message: "it broke",
      cause: { name: "AggregateError", message: "several" },
    });
    for (const headers of [{}, ENCODED]) {
      for (const line of ["GET /workflows/w", "GET /workflows", "GET /workflows/w/result"]) {
        assert.doesNotMatch(await (await call(line, { headers })).text(), /setup\.ts|at file|\\n {4}at/);
      }
    }
    const { cause, code } = await json("GET /workflows/w/result", 424);
    assert.deepEqual([code, cause], ["workflow_failed", { name: "TypeError", message: "it broke" }]);
  },

  "GET /workflows/:id/result waits as the parameter or Prefer says, at most as long as the server does": async (
    harness,
  ) => {
    const { call, json, parley } = serve(harness, { maxWait: "2s" });
    await parley.start(listener, undefined, { workflowId: "w" });
    const waited = async (line: string, prefer?: string) => {
      const { code, timeoutMs } = await json(line, 408, { ...(prefer && { headers: { prefer } }) });
      assert.equal(code, "timeout");
      return timeoutMs;
    };
    assert.equal(await waited("GET /workflows/w/result"), 0);
    assert.equal(await waited("GET /workflows/w/result?wait=1s"), 1_000);
    assert.equal(await waited("GET /workflows/w/result", "respond-async, wait=1"), 1_000);
    assert.equal(await waited("GET /workflows/w/result?wait=1h"), 2_000);
    assert.equal(await waited("GET /workflows/w/result?wait=500ms", "wait=2"), 500);
    assert.equal((await call("GET /workflows/w/result?wait=soon")).status, 400);
    const pending = call("GET /workflows/w/result?wait=2s");
    await parley.send("w", "the news", { topic: "news" });
    void parley.wake(["w"]);
    assert.equal(await (await pending).json(), "the news");
  },

  "GET /workflows lists, by status and name, page by page": async (harness) => {
    const { json, parley } = serve(harness);
    for (const id of ["a", "b", "c"]) await parley.start("echo", 1, { workflowId: id, enqueue: true });
    await parley.start("other", 1, { workflowId: "d", enqueue: true });
    const ids = (page: Record<string, unknown>) =>
      (page.workflows as { workflowId: string }[]).map(({ workflowId }) => workflowId);
    const first = await json("GET /workflows?name=echo&limit=2&status=ENQUEUED,PENDING", 200);
    const second = await json(
      `GET /workflows?name=echo&limit=2&cursor=${encodeURIComponent(String(first.cursor))}`,
      200,
    );
    assert.deepEqual([...ids(first), ...ids(second)].sort(), ["a", "b", "c"]);
    assert.equal(second.cursor, undefined);
    assert.deepEqual(ids(await json("GET /workflows?status=SUCCESS", 200)), []);
    for (const query of ["status=NEVER", "limit=0", "limit=1001", "limit=x", "limit=1e2", "cursor=x", "name="]) {
      assert.equal((await json(`GET /workflows?${query}`, 400)).code, "invalid_value", query);
    }
  },

  "POST /workflows/:id/cancel and /resume answer 204, 404 and 409": async (harness) => {
    const { json, parley, world } = serve(harness);
    assert.equal((await json("POST /workflows/w/cancel", 404)).code, "workflow_not_found");
    assert.equal((await json("POST /workflows/w/resume", 404)).code, "workflow_not_found");
    await parley.start(listener, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    for (const action of ["resume", "cancel", "cancel"]) await json(`POST /workflows/w/${action}`, 204);
    assert.equal((await json("GET /workflows/w/result", 409)).code, "workflow_cancelled");
    await json("POST /workflows/w/resume", 204);
    assert.equal((await json("GET /workflows/w", 200)).status, "PENDING");
    await parley.start(echo, 1, { workflowId: "done" });
    await world.until(parley.idle());
    const ended = await json("POST /workflows/done/cancel", 409);
    assert.deepEqual([ended.code, ended.status, ended.workflowStatus], ["workflow_ended", 409, "SUCCESS"]);
  },
};

const sending: Rules = {
  "POST /workflows/:id/messages sends once for each key: 201, then 200 with the first message's ID": async (
    harness,
  ) => {
    const { json, parley } = serve(harness);
    assert.equal(
      (await json("POST /workflows/w/messages", 404, { body: { message: 1 } })).code,
      "workflow_not_found",
    );
    await parley.start(listener, undefined, { workflowId: "w", enqueue: true });
    const headers = { "idempotency-key": "key" };
    const sent = await json("POST /workflows/w/messages", 201, {
      body: { message: "first", topic: "news" },
      headers,
    });
    const again = await json("POST /workflows/w/messages", 200, {
      body: { message: "second", topic: "news" },
      headers,
    });
    const inBody = await json("POST /workflows/w/messages", 200, {
      body: { message: 3, topic: "news", idempotencyKey: "key" },
    });
    assert.deepEqual([sent.duplicate, again, inBody], [false, { ...sent, duplicate: true }, again]);
    assert.equal(
      (await json("POST /workflows/w/messages", 409, { body: { message: 1 }, headers })).code,
      "idempotency_conflict",
    );
    await json("POST /sweep", 200);
    assert.equal((await json("GET /workflows/w/result?wait=5s", 200)) as unknown, "first");
    const ended = await json("POST /workflows/w/messages", 409, { body: { message: 1 } });
    assert.deepEqual([ended.code, ended.workflowStatus], ["workflow_ended", "SUCCESS"]);
  },

  "POST /messages sends all or none": async (harness) => {
    const { json, parley } = serve(harness);
    await parley.start(listener, undefined, { workflowId: "w", enqueue: true });
    const good = { destinationId: "w", message: 1, topic: "news" };
    assert.equal(
      (await json("POST /messages", 404, { body: { messages: [good, { ...good, destinationId: "x" }] } })).code,
      "workflow_not_found",
    );
    const twice = [{ ...good, idempotencyKey: "k" }, { ...good, idempotencyKey: "k" }];
    assert.equal((await json("POST /messages", 409, { body: { messages: twice } })).code, "idempotency_conflict");
    assert.deepEqual(await json("POST /messages", 200, { body: { messages: [] } }), { receipts: [] });
    const { receipts } = await json("POST /messages", 200, { body: { messages: [{ ...good, message: 2 }, good] } });
    assert.equal((receipts as unknown[]).length, 2);
    await json("POST /sweep", 200);
    assert.equal((await json("GET /workflows/w/result?wait=5s", 200)) as unknown, 2, "nothing was sent before");
  },
};

const scheduling: Rules = {
  "POST /sweep runs workflows that are due, and POST /wake those that it names": async (harness) => {
    const { json, parley, world, errors } = serve(harness);
    for (const workflowId of ["a", "b"]) await parley.start(echo, workflowId, { workflowId, enqueue: true });
    assert.deepEqual(await json("POST /sweep?limit=1", 200), { claimed: 1, finished: 1, suspended: 0 });
    await json("POST /wake", 202, { body: { workflowIds: ["b", "unknown"] } });
    await world.until(parley.idle());
    assert.equal((await json("GET /workflows/b/result?wait=5s", 200)) as unknown, "b");
    for (const limit of ["0", "-1", "10001", "1.5", ""]) await json(`POST /sweep?limit=${limit}`, 400);
    await json("POST /wake", 400, { body: { workflowIds: Array(1_001).fill("a") } });
    await json("POST /wake", 400, { body: { workflowIds: ["b", "x".repeat(256)] } });
    assert.deepEqual(errors, []);
  },
};

const encodings: Rules = {
  "in the library's own encoding every value comes back equal, as input, result and message": async (harness) => {
    const { call, parley, world } = serve(harness);
    const ask = async (line: string, body?: unknown) => {
      const response = await call(line, {
        headers: ENCODED,
        ...(body !== undefined && { raw: envelope(body) }),
      });
      assert.equal(response.headers.get("content-type"), ENCODED.accept);
      return await response.json();
    };
    for (const [at, value] of VALUES.entries()) {
      await ask("POST /workflows", { workflow: "listener", input: encodeValue(value), workflowId: `w${at}` });
      await ask(`POST /workflows/w${at}/messages`, { message: encodeValue(value), topic: "news" });
      await world.until(parley.idle());
      await parley.wake([`w${at}`]);
      assert.deepEqual(decodeValue(await ask(`GET /workflows/w${at}/result?wait=5s`)), value);
      const { input, output } = await ask(`GET /workflows/w${at}`);
      assert.deepEqual([decodeValue(input), decodeValue(output)], [value, value]);
    }
  },

  "in JSON every value is shown as near as JSON can show it": async (harness) => {
    const { call, parley, world } = serve(harness);
    const cycle: unknown[] = [1];
    cycle.push(cycle);
    await parley.start(echo, [...VALUES, cycle, Object(1n), new URLSearchParams("a=b")], { workflowId: "w" });
    await world.until(parley.idle());
    const response = await call("GET /workflows/w/result");
    assert.equal(response.headers.get("content-type"), "application/json");
    const shown: unknown[] = [
      null,
      null,
      "",
      "a\u0000b 🎈",
      0,
      null,
      null,
      "12345678901234567890",
      "1970-01-01T00:00:00.005Z",
      null,
      [[1, ["a"]], ["b", [null]]],
      "AP8=",
      "/x+/gi",
      "https://example.com/a?b#c",
      { name: "TypeError", message: "a message" },
      { a: [{ b: { c: [] } }], "": 1, hasOwnProperty: 2, constructor: null },
      [1, null, 3],
      [1, null],
      "1",
      "a=b",
    ];
    assert.deepEqual(await response.json(), shown);
  },

  "HEAD answers as GET does, without the body": async (harness) => {
    const { call, parley, world } = serve(harness);
    await parley.start(publisher, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    for (
      const [line, status] of [["/workflows", 200], ["/workflows/w", 200], ["/workflows/x", 404], [
        "/openapi.json",
        200,
      ]] as const
    ) {
      const response = await call(`HEAD ${line}`);
      assert.deepEqual([response.status, await response.text()], [status, ""], line);
    }
  },
};
