/**
 * IDs and keys in paths: every legal one works.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { fromSegment, toSegment } from "../../../http/segment.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules } from "../../../conformance/suite.ts";
import { serve } from "../support/setup.ts";

/** What has a meaning somewhere between a client and a store. */
const HARD = [
  ".",
  "..",
  "...",
  ".~",
  "..~~",
  "~",
  "%2F",
  "%252F",
  "%",
  "%zz",
  "%00",
  "/",
  "//",
  "a/b",
  "\\",
  "..\\..",
  "?",
  "#",
  "a?b#c",
  "&=+",
  " ",
  " a ",
  "\n",
  "\t\r",
  ":id",
  "*",
  "{id}",
  "result",
  "cancel",
  "workflows",
  "constructor",
  "__proto__",
  "\u007f",
  "\ufeff",
  "\uffff",
  "é",
  "e\u0301",
  "🎈",
  "👨‍👩‍👧",
  "a".repeat(255),
  "🎈".repeat(255),
  "%".repeat(255),
];

const name = fc.oneof(
  fc.constantFrom(...HARD),
  fc.array(fc.constantFrom(".", "~", "%", "/", "\\", "2F", ":", " ", "🎈", "?", "#"), { minLength: 1, maxLength: 12 })
    .map((it) => it.join("")),
  fc.string({ unit: "binary", minLength: 1, maxLength: 255 }).filter((it) => it.isWellFormed() && !it.includes("\0")),
);

/** Registers the tests. */
export function names(test: RegisterTest, makeHarness: MakeHarness, { runs }: { runs: number }): void {
  registerSuite({ name: "names", rules: [paths(runs)] }, test, makeHarness);
  test("toSegment() and fromSegment() are each other's inverse, and no two names share a segment", () => {
    fc.assert(fc.property(name, (it) => {
      const segment = toSegment(it);
      assert.equal(new URL(`http://h/a/${segment}/b`).pathname, `/a/${segment}/b`);
      assert.equal(fromSegment(decodeURIComponent(segment)), it);
    }));
    return Promise.resolve();
  });
}

const paths = (runs: number): Rules => ({
  "every legal ID and key works in a path, and a Location works unchanged": async (harness) => {
    const { json, call, parley, world } = serve(harness);
    let count = 0;
    const check = async (id: string, key: string) => {
      const workflowId = count++ < HARD.length ? id : `${[...id].slice(0, 249).join("")}${count}`;
      const started = await call("POST /workflows", { body: { workflow: "publisher", input: { key }, workflowId } });
      assert.equal(started.status, 201, JSON.stringify(workflowId));
      const location = started.headers.get("location")!;
      await world.until(parley.idle());
      assert.equal((await json(`GET ${location}`, 200)).workflowId, workflowId);
      assert.equal((await json(`GET ${location}/events/${toSegment(key)}`, 200)).value, "an event");
      assert.deepEqual((await json(`GET ${location}/streams/${toSegment(key)}`, 200)).values, ["a value"]);
      await json(`POST ${location}/messages`, 201, { body: { message: 1, topic: key } });
    };
    for (const it of HARD) await check(it, it);
    await fc.assert(fc.asyncProperty(name, name, check), { numRuns: runs, seed: 5 });
  },

  "an illegal ID or key is refused, in a path and in a body": async (harness) => {
    const { json } = serve(harness);
    for (const bad of ["%00", "a%00b", "a".repeat(256), encodeURIComponent("🎈".repeat(256))]) {
      for (
        const line of [
          "GET /workflows/:",
          "POST /workflows/:/cancel",
          "GET /workflows/w/events/:",
          "GET /workflows/w/streams/:",
        ]
      ) {
        assert.equal((await json(line.replace(":", bad), 400)).code, "invalid_value", line);
      }
    }
    for (const workflowId of ["", "a\0", "a".repeat(256), "\ud800", 7, null, ["a"]]) {
      await json("POST /workflows", 400, { body: { workflow: "echo", workflowId } });
    }
    for (const headers of [{ "idempotency-key": "" }, { "idempotency-key": "x".repeat(256) }]) {
      await json("POST /workflows", 400, { body: { workflow: "echo" }, headers });
      await json("POST /workflows/w/messages", 400, { body: { message: 1 }, headers });
    }
  },
});
