import assert from "node:assert/strict";
import fc from "fast-check";
import { type Duration, toMilliseconds } from "../../../core/values/checks.ts";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const unit = fc.constantFrom(...Object.keys(UNITS) as (keyof typeof UNITS)[]);
const THOUSAND_YEARS_MS = 365_250 * UNITS.d;

Deno.test("toMilliseconds() reads whole numbers in every unit", () => {
  fc.assert(
    fc.property(
      fc.nat(365_000),
      unit,
      (n, unit) => assert.equal(toMilliseconds(`${n}${unit}`, "timeout"), n * UNITS[unit]),
    ),
  );
});

Deno.test("toMilliseconds() rounds up, so that no wait is too short", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (ms) => {
    const read = toMilliseconds(ms, "timeout");
    assert(Number.isInteger(read) && read >= ms && read - 1 < ms);
  }));
  assert.deepEqual([
    toMilliseconds("0.5ms", "timeout"),
    toMilliseconds("1.5s", "timeout"),
    toMilliseconds(0.2, "timeout"),
  ], [1, 1_500, 1]);
});

Deno.test("toMilliseconds() refuses an invalid duration, and names its purpose", () => {
  const invalid = [
    "",
    "5",
    "s",
    "-1s",
    "+1s",
    "1 s",
    " 1s",
    "1s ",
    "1S",
    "1.s",
    ".5s",
    "1e3s",
    "1h30m",
    "0x1s",
    "1s\n",
    "١s",
    "1w",
    "Infinityms",
  ];
  for (const it of [...invalid, -1, -0.1, NaN, Infinity, null, {}, ["1s"], true, 1n] as Duration[]) {
    assert.throws(() => toMilliseconds(it, "age of x"), { code: "invalid_value", message: /age of x/ }, String(it));
  }
});

Deno.test("toMilliseconds() refuses more than 1,000 years", () => {
  assert.equal(toMilliseconds(THOUSAND_YEARS_MS, "timeout"), THOUSAND_YEARS_MS);
  assert.equal(toMilliseconds("365250d", "timeout"), THOUSAND_YEARS_MS);
  for (const it of [THOUSAND_YEARS_MS + 1, "365251d"] as const) {
    assert.throws(() => toMilliseconds(it, "timeout"), { code: "invalid_value" });
  }
});
