/**
 * What a caller may make up, at the limits of what a store can hold.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules } from "../../../conformance/suite.ts";
import { type Asked, publisher, serve, toRequest } from "../support/setup.ts";

/** Around what 32 bits, a double and 64 bits hold, and what Lua would write as 1e+15. */
const NUMBERS = [
  "0",
  "2",
  "2147483647",
  "2147483648",
  "4294967296",
  "99999999999999",
  "100000000000000",
  "999999999999999",
];
const OFFSETS = [...NUMBERS, "9007199254740990", "9007199254740991"];

const CURSORS: unknown[] = [
  0,
  null,
  {},
  [],
  "x",
  [0],
  [0, "w", 0],
  [0, 0],
  ["0", "w"],
  [-1, "w"],
  [1.5, "w"],
  [2 ** 53, "w"],
  [1e300, "w"],
  [1e21, "w"],
  [0, ""],
  [0, "a\0b"],
  [0, "\ud800"],
  [0, "a".repeat(10_000)],
  [Number.MAX_SAFE_INTEGER, "w"],
  [-Number.MAX_SAFE_INTEGER, "w"],
  [-0, "w"],
];

/** Registers the tests. */
export function edges(test: RegisterTest, makeHarness: MakeHarness): void {
  registerSuite({ name: "edges", rules: [madeUp] }, test, makeHarness);
}

const madeUp: Rules = {
  "no number, text or cursor that a caller makes up is a fault of the server": async (harness) => {
    const { app, parley, world, errors } = serve(harness, { maxWait: 1 });
    await parley.start(publisher, { key: "k" }, { workflowId: "w" });
    await world.until(parley.idle());
    const asks = async (line: string, asked?: Asked) => {
      const response = await world.until(Promise.resolve(app.request(toRequest(line, asked))));
      const text = await response.text();
      assert(response.status < 500, `${line.slice(0, 200)}: ${response.status} ${text} ${Deno.inspect(errors)}`);
      return response.status;
    };
    const { nextOffset } = await parley.readStream("w", "k", { wait: false }).collect();
    for (const offset of OFFSETS) {
      const status = Number(offset) > nextOffset ? 416 : 200;
      assert.equal(await asks(`GET /workflows/w/streams/k?offset=${offset}`), status, offset);
      if (offset.length < 16) {
        assert.equal(await asks(`GET /workflows/w/streams/k?from=${offset}&limit=1000&wait=1ms`), status, offset);
      }
    }
    const { version } = await parley.getEventEntry("w", "k", { timeout: 0 });
    for (const after of NUMBERS) {
      const status = Number(after) > version ? 416 : Number(after) === version ? 408 : 200;
      assert.equal(await asks(`GET /workflows/w/events/k?after=${after}`), status, after);
    }
    for (const cursor of CURSORS) await asks(`GET /workflows?cursor=${encodeURIComponent(JSON.stringify(cursor))}`);
    for (const raw of ["", "%00", "[1e999,%22w%22]", "%5B0,%22%5Cu0000%22%5D", "[", "0".repeat(1_000)]) {
      await asks(`GET /workflows?cursor=${raw}`);
      await asks(`GET /workflows?name=${raw}`);
    }
    for (const text of ["\0", "\ud800", "\uffff", "'; --", "{1}", "%s", "\\x00", "\r\n*3\r\n$3\r\n"]) {
      await asks("POST /workflows/w/messages", { body: { message: text, topic: text, idempotencyKey: text } });
      await asks("POST /workflows", { body: { workflow: text, input: text, workflowId: text, enqueue: true } });
    }
    assert.deepEqual(errors, []);
  },

  "a cursor of 100,000 characters is no fault of the server": async (harness) => {
    const { json, errors } = serve(harness);
    await json(`GET /workflows?cursor=${encodeURIComponent(JSON.stringify([0, "a".repeat(100_000)]))}`, 400);
    assert.deepEqual(errors, []);
  },
};
