#!/usr/bin/env bash
# new Cron() of croner accepts a time zone that does not exist; the error comes with the first computation.
#
# Package: croner@11.0.1 (npm).
# Expected: options are checked where the pattern is: a bad pattern throws from the constructor.
# Seen: `new Cron("0 9 * * *", { timezone: "Europe/Berln" })` succeeds, nextRun() throws a TypeError.
# It matters to whoever validates a schedule by constructing it: the fault shows when the job should run.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund croner@11.0.1
cat >run.mjs <<'JS'
import { Cron } from "croner";

const of = (run) => {
  try {
    run();
    return "succeeds";
  } catch (error) {
    return `throws ${error.name}`;
  }
};
let cron;
const seen = {
  "new Cron with a bad pattern": of(() => new Cron("0 99 * * *")),
  "new Cron with a bad zone": of(() => cron = new Cron("0 9 * * *", { timezone: "Europe/Berln" })),
  "its nextRun()": of(() => cron.nextRun()),
};
console.log(`croner 11.0.1: ${JSON.stringify(seen)}`);
process.exit(/^throws/.test(Object.values(seen)[0]) && Object.values(seen)[1] === "succeeds" && seen["its nextRun()"] === "throws TypeError" ? 0 : 1);
JS
node run.mjs
