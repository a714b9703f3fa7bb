import assert from "node:assert/strict";
import fc from "fast-check";
import { ValidationError } from "../../core/errors.ts";
import { upstashDriver } from "../../drivers/upstash/mod.ts";
import { STATUSES } from "../../core/statuses.ts";
import { BUCKETS, Keys } from "../../drivers/upstash/keys.ts";

/** What runs together if it is not encoded, beside whatever else there is. */
const separators = fc.constantFrom("/", "//", "%", "%2F", "%252F", ":", ".", "..", " ", "0", "1", "result", "event", "\u{1F600}", "\u0001");
const part = fc.oneof(
  fc.array(fc.oneof(separators, fc.string({ maxLength: 3, unit: "grapheme" })), { minLength: 1, maxLength: 4 }).map((parts) =>
    parts.join("")
  ),
  fc.string({ minLength: 1, maxLength: 255, unit: "binary" }),
).filter((text) => text.isWellFormed() && !text.includes("\0"));
const topic = fc.oneof(fc.constant(""), part);
const number = fc.nat({ max: 20_000 });
const prefix = fc.stringMatching(/^[A-Za-z0-9:_.-]{1,64}$/);

/** Every kind of key that has the names of others in it, as what it is made of. */
const place = fc.oneof(
  fc.tuple(fc.constantFrom("workflow", "open", "inbox", "streams", "waiters", "kept", "claim"), part),
  fc.tuple(fc.constantFrom("positions", "journal"), part, number),
  fc.tuple(fc.constant("stream"), part, part, number),
  fc.tuple(fc.constant("queue"), part, topic, number),
  fc.tuple(fc.constantFrom("index", "named"), fc.constantFrom(...STATUSES, "parked")),
  fc.tuple(fc.constantFrom("due", "leased", "schedule", "ended", "expiring", "purging")),
);
type Place = typeof place extends fc.Arbitrary<infer T> ? T : never;

function nameOf(keys: Keys, [kind, ...parts]: Place): string {
  const member = Reflect.get(keys, kind);
  return typeof member === "function" ? Reflect.apply(member, keys, parts) : String(member);
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
      assert.deepEqual(nameOf(new Keys(prefix), place).split("/").map(decodeURIComponent), [prefix, ...place.map(String)]);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a key of the longest names is well below the 32 KB that Upstash allows", () => {
  const longest = "\u{1F600}".repeat(255);
  assert(new Keys("x".repeat(64)).stream(longest, longest, 1e9).length < 8_192);
});

Deno.test("the buckets of a workflow are all that a key may be in, and none of another kind's", () => {
  const keys = new Keys("p");
  const buckets = keys.buckets("w");
  assert.equal(new Set(buckets).size, 2 * BUCKETS);
  const used = { sent: new Set<string>(), events: new Set<string>() };
  for (let index = 0; index < 1_000; index++) {
    used.sent.add(keys.sent("w", `key ${index}`));
    used.events.add(keys.events("w", `key ${index}`));
  }
  assert.deepEqual([...used.sent, ...used.events].sort(), buckets.sort());
});

Deno.test("a key stays in the bucket that it was in when it was written", () => {
  const keys = new Keys("p");
  assert.deepEqual([keys.sent("w", ""), keys.sent("w", "key"), keys.events("w", "\u{1F600}")], [
    "p/sent/w/5",
    "p/sent/w/12",
    "p/events/w/8",
  ]);
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
