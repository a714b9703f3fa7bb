import assert from "node:assert/strict";
import fc from "fast-check";
import { ValidationError } from "../../../core/errors.ts";
import { upstashDriver } from "../../../drivers/upstash/mod.ts";
import { Keys, OWN_KINDS, SHARED_KINDS } from "../../../drivers/upstash/keys.ts";

/** Texts that could run together with what is around them. */
const separators = fc.constantFrom(
  ...["/", "//", "%", "%2F", "%252F", ":", ".", "..", " ", "0", "1", "\u{1F600}", "\u0001"],
  ...["inbox", "claim", "result", "event"],
);
const part = fc.oneof(
  fc.array(fc.oneof(separators, fc.string({ maxLength: 3, unit: "grapheme" })), { minLength: 1, maxLength: 4 }).map((
    parts,
  ) => parts.join("")),
  fc.string({ minLength: 1, maxLength: 255, unit: "binary" }),
).filter((text) => text.isWellFormed() && !text.includes("\0"));
const prefix = fc.stringMatching(/^[A-Za-z0-9:_.-]{1,64}$/);

/** A kind, and an ID unless all workflows share the key. */
const place = fc.oneof(
  fc.tuple(fc.constantFrom(...OWN_KINDS, "claim"), part),
  fc.tuple(fc.constantFrom(...SHARED_KINDS)),
);

function keyAt(keys: Keys, [kind = "", id = ""]: readonly string[]): string {
  const own = OWN_KINDS.find((it) => it === kind);
  const named = own
    ? keys.of(id, own).at(-1)
    : kind === "claim"
    ? keys.claim(id)
    : keys.shared[SHARED_KINDS.indexOf(kind)];
  return named ?? assert.fail(kind);
}

Deno.test("two keys are equal only if their prefixes, kinds and IDs are", () => {
  fc.assert(
    fc.property(prefix, prefix, place, place, (one, other, left, right) => {
      const isSame = one === other && JSON.stringify(left) === JSON.stringify(right);
      assert.equal(keyAt(new Keys(one), left) === keyAt(new Keys(other), right), isSame);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a prefix, a kind and an ID can be read from a key", () => {
  fc.assert(
    fc.property(prefix, place, (prefix, place) => {
      const key = keyAt(new Keys(prefix), place);
      const [, own, kind, id] = /^([^/]+)\/([^/]+)\/(.*)$/s.exec(key) ?? [];
      const isShared = place.length === 1;
      assert.deepEqual(isShared ? key : [own, kind, id], isShared ? `${prefix}/${place[0]}` : [prefix, ...place]);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a key of the longest names is well below the 32 KB that Upstash allows", () => {
  const longest = "\u{1F600}".repeat(255);
  assert(new Keys("x".repeat(64)).of(longest, "inbox").every((key) => key.length < 8_192));
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
