import assert from "node:assert/strict";
import fc from "fast-check";
import { quote } from "../../../core/errors.ts";
import { checkName } from "../../../core/values/checks.ts";

const isLegal = (name: unknown) => {
  try {
    checkName(name, "topic");
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, "invalid_value");
    assert.match((error as Error).message, /topic/);
    return false;
  }
};

/** Whole characters, so that one counts as one code point. */
const legal = fc.string({ unit: "binary", minLength: 1, maxLength: 255 }).filter((it) => !it.includes("\0"));

Deno.test("checkName() accepts 1 to 255 characters of well-formed Unicode without NUL", () => {
  fc.assert(fc.property(legal, (name) => assert(isLegal(name))));
  for (
    const name of [
      ":",
      "/",
      "::",
      " ",
      "a/b:c",
      "é",
      "\u0001",
      "\uffff",
      "__proto__",
      "😀".repeat(255),
      "x".repeat(255),
    ]
  ) {
    assert(isLegal(name), quote(name));
  }
});

Deno.test("checkName() counts characters, not UTF-16 units", () => {
  for (const length of [1, 127, 128, 254, 255]) assert(isLegal("😀".repeat(length)));
  for (const length of [256, 257, 510, 511, 100_000]) {
    assert(!isLegal("x".repeat(length)));
    assert(!isLegal("😀".repeat(length)));
  }
  assert(isLegal("😀".repeat(127) + "x".repeat(128)));
  assert(!isLegal("😀".repeat(127) + "x".repeat(129)));
});

Deno.test("checkName() refuses NUL and lone surrogates at any place", () => {
  fc.assert(fc.property(legal, legal, fc.constantFrom("\0", "\ud800", "\udc00"), (before, after, bad) => {
    // A surrogate next to its other half would be a character.
    fc.pre(!/^[\udc00-\udfff]/.test(after) && !/[\ud800-\udbff]$/.test(before));
    assert(!isLegal(bad + after.slice(0, 100)));
    assert(!isLegal(before.slice(0, 100) + bad));
  }));
});

Deno.test("checkName() refuses the empty string, and any other type", () => {
  for (const it of ["", undefined, null, 0, 1, true, {}, ["a"], Symbol("a"), new String("a")]) assert(!isLegal(it));
});

Deno.test("quote() cuts a long text between characters and escapes control characters", () => {
  assert.equal(quote("a\n\u0000"), String.raw`"a\n\u0000"`);
  assert.equal(quote("x".repeat(80)), `"${"x".repeat(80)}"`);
  assert.equal(quote("x".repeat(81)), `"${"x".repeat(80)}…"`);
  assert.equal(quote("😀".repeat(100)), `"${"😀".repeat(80)}…"`);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert(quote(text).isWellFormed())));
});
