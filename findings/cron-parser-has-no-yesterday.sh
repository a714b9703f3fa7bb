#!/usr/bin/env bash
# cron-parser's prev() throws for a daily job at midnight, once a year, in zones whose clocks change at midnight.
#
# Package: cron-parser@5.10.6 (npm).
# Expected: prev() returns yesterday's occurrence on the day without a midnight.
# Seen: on the day that has no 00:00 (Santiago in September), prev() throws, though next() is right.
# Impact: code that asks for the last missed occurrence fails on one day of the year.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cron-parser@5.10.6
cat >run.mjs <<'JS'
import { CronExpressionParser } from "cron-parser";

const failed = [];
// Santiago's clocks go from 23:59:59 to 01:00 on 5 September 2027, Berlin's from 01:59:59 to 03:00 on 28 March.
for (const [tz, from] of [["America/Santiago", Date.UTC(2027, 8, 4)], ["Europe/Berlin", Date.UTC(2027, 2, 27)]]) {
  // The caller asks for the last occurrence once an hour, over three days.
  for (let at = from; at < from + 3 * 86_400_000; at += 3_600_000) {
    try {
      CronExpressionParser.parse("0 0 * * *", { tz, currentDate: new Date(at) }).prev();
    } catch (error) {
      failed.push(`${tz} at ${new Date(at).toISOString()}: ${error.message}`);
    }
  }
}
console.log(`cron-parser 5.10.6, "0 0 * * *", prev():\n${failed.join("\n")}`);
process.exit(failed.some((it) => it.startsWith("America/Santiago")) && !failed.some((it) => it.startsWith("Europe/Berlin")) ? 0 : 1);
JS
node run.mjs
