import assert from "node:assert/strict";
import fc from "fast-check";
import { ValidationError } from "../../../core/errors.ts";
import { upstashDriver } from "../../../drivers/upstash/mod.ts";
import { Keys, OWN_KINDS, type SharedKind } from "../../../drivers/upstash/keys.ts";

/** What runs together if it is not encoded, beside whatever else there is. */
const separators = fc.constantFrom(
  "/",
  "//",
  "%",
  "%2F",
  "%252F",
  ":",
  ".",
  "..",
  " ",
  "0",
  "1",
  "result",
  "event",
  "\u{1F600}",
  "\u0001",
);
const part = fc.oneof(
  fc.array(fc.oneof(separators, fc.string({ maxLength: 3, unit: "grapheme" })), { minLength: 1, maxLength: 4 }).map((
    parts,
  ) => parts.join("")),
  fc.string({ minLength: 1, maxLength: 255, unit: "binary" }),
).filter((text) => text.isWellFormed() && !text.includes("\0"));
const prefix = fc.stringMatching(/^[A-Za-z0-9:_.-]{1,64}$/);

/** Every key, as what it is made of. */
const place = fc.oneof(
  fc.tuple(fc.constant("own" as const), part, fc.constantFrom(...OWN_KINDS)),
  fc.tuple(
    fc.constant("shared" as const),
    fc.constantFrom<SharedKind>("due", "leased", "waiting", "index/PENDING", "named/PENDING"),
  ),
  fc.tuple(fc.constant("claim" as const), part),
);
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

function nameOf(keys: Keys, place: Place): string {
  if (place[0] === "own") return keys.own(place[1], place[2]);
  return place[0] === "shared" ? keys.shared(place[1]) : keys.claim(place[1]);
}

/** The parts of the key, without the prefix. */
function partsOf(place: Place): string[] {
  if (place[0] === "own") return [place[2] === "row" ? "workflow" : place[2], place[1]];
  return place[0] === "shared" ? place[1].split("/") : place;
}

Deno.test("two keys are equal only if their prefixes and all that they are made of are", () => {
  fc.assert(
    fc.property(prefix, prefix, place, place, (one, other, left, right) => {
      const isSame = one === other && JSON.stringify(left) === JSON.stringify(right);
      assert.equal(nameOf(new Keys(one), left) === nameOf(new Keys(other), right), isSame);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("what a key is made of can be read from it", () => {
  fc.assert(
    fc.property(prefix, place, (prefix, place) => {
      assert.deepEqual(nameOf(new Keys(prefix), place).split("/").map(decodeURIComponent), [prefix, ...partsOf(place)]);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a key of the longest names is well below the 32 KB that Upstash allows", () => {
  const longest = "\u{1F600}".repeat(255);
  assert(new Keys("x".repeat(64)).own(longest, "journal").length < 8_192);
});

Deno.test("upstashDriver() refuses a prefix that could run together with others", () => {
  const database = { url: "https://example.upstash.io", token: "t" };
  for (const prefix of ["", "a/b", "a b", "a,b", "a%b", "\u00e9", "x".repeat(65), "a\n"]) {
    assert.throws(() => upstashDriver(database, { prefix }), ValidationError, JSON.stringify(prefix));
  }
  for (const options of [{ retention: 0 }, { retention: -1 }, { requestTimeout: 0 }]) {
    assert.throws(() => upstashDriver(database, options), ValidationError, JSON.stringify(options));
  }
  for (const prefix of ["parley", "my:app_1.x-", "x".repeat(64)]) upstashDriver(database, { prefix });
});
