import assert from "node:assert/strict";
import * as v from "valibot";
import { devalueCodec } from "../../../core/values/codec.ts";
import { untrustedValue } from "../../../http/wire/untrusted_value.ts";
import { Values } from "../../../core/values/values.ts";
import { VALUES } from "../support/values.ts";

const MIB = 2 ** 20;
const values = new Values(devalueCodec, MIB);
const encoded = (parts: unknown, maxJsonLength = 8 * MIB) => untrustedValue(parts, maxJsonLength);

Deno.test("encode() returns the text of an encoded value unchanged", () => {
  for (const value of VALUES) {
    const text = devalueCodec.encode(value);
    assert.equal(values.encode(encoded(JSON.parse(text)), "message"), text);
  }
});

Deno.test("encode() encodes an encoded value again if the codec is the user's own", () => {
  const codec = { encode: (value: unknown) => `own ${JSON.stringify(value)}`, decode: (text: string) => text };
  assert.equal(new Values(codec, MIB).encode(encoded([{ a: 1 }, 5]), "message"), 'own {"a":5}');
});

Deno.test("take() checks an encoded value with the schema, and stores what the schema returns", async () => {
  const schema = v.pipe(v.object({ a: v.number() }), v.transform(({ a }) => a + 1));
  assert.equal(await values.take(encoded([{ a: 1 }, 5]), "message", schema)(), "[6]");
  await assert.rejects(async () => await values.take(encoded(["text"]), "message", schema)(), {
    code: "invalid_value",
  });
});

Deno.test("encode() refuses an encoded value that not every runtime can decode, or that is nested too deep or too large", () => {
  const nested = (levels: number) => Array.from({ length: levels }, (_, n) => [n + 1]).concat([[]] as never);
  /** Lists in lists, of which the first is the part `at`. */
  const from = (at: number, levels: number) =>
    Array.from({ length: levels }, (_, n) => [at + n + 1]).concat([[]] as never);
  const refused: Record<string, unknown> = {
    "no parts": "text",
    "no first part": [],
    "a part that is not there": [[1]],
    "a type of some runtimes": [["Temporal.Instant", "2026-11-28T00:00:00Z"]],
    "another type of some runtimes": [["Float16Array", 1], ["ArrayBuffer", "AAAA"]],
    "lists 501 deep": nested(500),
    "lists 501 deep, numbered backwards": [500, ...nested(500)].map((_, n) => n === 0 ? [500] : n === 1 ? [] : [n - 1]),
    "a list of four billion holes": [[-7, 4294967295]],
    "a list that doubles thirty times": Array.from({ length: 30 }, (_, n) => [n + 1, n + 1]).concat([[]] as never),
    "a long text a thousand times": [Array(1_000).fill(1), "x".repeat(50_000)],
    "holes behind a length that takes off": [[1, 3], ["Set", 2], [-7, -1e12], [-7, 4294967295]],
    "holes behind a length below 0 that decoding does not read": [[1, 3], ["Date", 2], [-7, -1e12], [-7, 4294967295]],
    "holes behind a length that is no number": [[1, 3], ["Date", 2], [-7, "x"], [-7, 4294967295]],
    "holes in an error that is a part in a part": [["Error", { name: 1, message: 1, cause: 2 }], "e", [-7, 4294967295]],
    "holes behind a member that looks like a list with holes": [{ x: -7, holes: 1 }, [-7, 4294967295]],
    "lists too deep in an error that is a part in a part": [
      ["Error", { name: 1, message: 1, cause: 2 }],
      "e",
      ...from(2, 600),
    ],
    "lists too deep in a view that is a part in a part": [["View", [1]], ...from(1, 600)],
    "lists too deep that a date names first": [[1, 2], ["Date", 302], ...from(2, 600)],
    "lists too deep that a view names first": [
      [1, 2],
      ["Uint8Array", 603, 302],
      ...from(2, 600),
      ["ArrayBuffer", "AAAA"],
    ],
    "an object with a prototype of its own": [{ ["__proto__"]: 1 }, {}],
  };
  for (const [what, parts] of Object.entries(refused)) {
    assert.throws(() => values.encode(encoded(parts), "message"), { code: "invalid_value" }, what);
  }
  values.encode(encoded(nested(499)), "message");
  values.encode(encoded([[1, 0], "a list that contains itself"]), "message");
});

Deno.test("encode() refuses an encoded value above the limit before it is decoded", () => {
  const hostile = encoded(["Nope", "x".repeat(MIB)]);
  assert.throws(() => values.encode(hostile, "message"), { code: "value_too_large" });
});
