#!/usr/bin/env bash
# vi.useFakeTimers() fakes performance.timeOrigin too, so clocks made of timeOrigin + now() jump.
#
# Package: vitest@4.1.12 (npm).
# Expected: timeOrigin is the start of the process, which no fake timer moves. With
#   "toFake: [setTimeout, Date]", performance is real.
# Seen: by default, timeOrigin becomes the time of the faking, and now() restarts at 0. With a list
#   of setTimeout and Date alone, a test moves Date, but the monotonic clock runs in real time. The
#   two differ by the time that the test advances.
# Impact: libraries compare timers with a monotonic clock. With the short list, nothing is ever due.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund vitest@4.1.12
cat >clock.test.mjs <<'JS'
import { expect, test, vi } from "vitest";

test("clocks under fake timers", () => {
  const origin = performance.timeOrigin;
  vi.useFakeTimers();
  const faked = { originMoved: performance.timeOrigin !== origin, nowStartsAtZero: performance.now() < 1 };
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["setTimeout", "Date"] });
  const before = { date: Date.now(), monotonic: performance.timeOrigin + performance.now() };
  vi.advanceTimersByTime(3_600_000);
  const byDate = Date.now() - before.date;
  const byMonotonic = performance.timeOrigin + performance.now() - before.monotonic;
  vi.useRealTimers();
  console.log(`vitest 4.1.12: ${JSON.stringify(faked)}; an hour advanced with setTimeout and Date alone: Date moved ${byDate} ms, performance less than a second: ${byMonotonic < 1000}`);
  expect(faked).toEqual({ originMoved: true, nowStartsAtZero: true });
  expect([byDate, byMonotonic < 1000]).toEqual([3_600_000, true]);
});
JS
npx vitest run --reporter=verbose 2>&1
