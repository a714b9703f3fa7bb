import assert from "node:assert/strict";
import {
  checkTraceparent,
  toTraceparent,
  toUntraced,
  traceparentOf,
  withoutTraceparent,
  withTraceparent,
} from "../../../core/values/marked_text.ts";
import { devalueCodec } from "../../../core/values/codec.ts";
import { Values } from "../../../core/values/values.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("toTraceparent() takes what W3C Trace Context allows, and nothing else", () => {
  assert.equal(toTraceparent(TRACE), TRACE);
  assert.equal(toTraceparent(`cc${TRACE.slice(2)}-what-is-new`), TRACE, "a later version");
  const wrong = [
    undefined,
    "",
    TRACE.toUpperCase(),
    `ff${TRACE.slice(2)}`,
    `${TRACE}-more`,
    `${TRACE}0`,
    ` ${TRACE}`,
    TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0".repeat(32)),
    TRACE.replace("b7ad6b7169203331", "0".repeat(16)),
    TRACE.slice(0, -1),
  ];
  for (const text of wrong) assert.equal(toTraceparent(text), undefined, text);
  assert.equal(checkTraceparent(undefined), undefined);
  assert.throws(() => checkTraceparent("no"), { code: "invalid_value" });
});

Deno.test("withTraceparent() and withoutTraceparent() keep every text", () => {
  for (const text of ["", "[1]", "~", "~~", "~~~", `~${TRACE}`, `~${TRACE}[1]`, "+1"]) {
    const stored = toUntraced(text);
    assert.equal(withoutTraceparent(stored), text);
    assert.equal(traceparentOf(stored), undefined, text);
    const traced = withTraceparent(stored, TRACE);
    assert.equal(withoutTraceparent(traced), text);
    assert.equal(traceparentOf(traced), TRACE);
  }
});

Deno.test("a trace never makes a value too large for a request to the store", () => {
  const values = new Values(devalueCodec, 1_000, undefined, { requestBytes: 100, bytesOf: (text) => text.length });
  const trace = (length: number) => values.trace(values.encode("x".repeat(length), "input"), TRACE);
  assert.equal(traceparentOf(trace(10)), TRACE);
  assert.equal(traceparentOf(trace(90)), undefined);
  assert.equal(values.decode(trace(90)), "x".repeat(90));
});
