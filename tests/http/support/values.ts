/**
 * Every kind of value that Parley keeps.
 *
 * @module
 */

/** One of each. */
export const VALUES: readonly unknown[] = [
  undefined,
  null,
  "",
  "a\u0000b 🎈",
  -0,
  NaN,
  -Infinity,
  12345678901234567890n,
  new Date(5),
  new Date(NaN),
  new Map<unknown, unknown>([[1, new Set(["a"])], ["b", [undefined]]]),
  new Uint8Array([0, 255]),
  /x+/gi,
  new URL("https://example.com/a?b#c"),
  new TypeError("a message", { cause: "a cause" }),
  { a: [{ b: { c: [] } }], "": 1, hasOwnProperty: 2, constructor: null },
  [1, , 3],
];
