#!/usr/bin/env bash
# cron-schedule reads `15W`, `1#2` and `5L` as 15, 1 and 5. It drops the rest without an error.
#
# Package: cron-schedule@6.0.0 (npm).
# Expected: a parser refuses a modifier that it does not know, as `15X` in any other field.
# Seen: "the weekday nearest the 15th" runs on the 15th, even on a Sunday. "The second Monday" runs on
#   every Monday, "the last Friday" on every Friday.
# Impact: expressions from a scheduler that knows the modifiers run on the wrong days.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cron-schedule@6.0.0
cat >run.mjs <<'JS'
import { parseCronExpression } from "cron-schedule";

const from = new Date(2027, 7, 1);
const days = (pattern) => parseCronExpression(pattern).getNextDates(5, from).map((it) => `${it.getMonth() + 1}/${it.getDate()}`).join(" ");
const seen = ["0 9 15W * *", "0 9 15 * *", "0 9 * * 1#2", "0 9 * * 1", "0 9 * * 5L", "0 9 * * 5"].map((it) => [it, days(it)]);
console.log(`cron-schedule 6.0.0, from August 2027:\n${seen.map(([pattern, dates]) => `${pattern}: ${dates}`).join("\n")}`);
const [w, plainDay, nth, monday, last, friday] = seen.map(([, dates]) => dates);
process.exit(w === plainDay && nth === monday && last === friday ? 0 : 1);
JS
node run.mjs
