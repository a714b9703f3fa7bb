#!/usr/bin/env bash
# croner's new Cron() accepts a time zone that does not exist. The first computation throws.
#
# Package: croner@11.0.1 (npm).
# Expected: the constructor checks its options as it checks the pattern, and throws.
# Seen: `new Cron("0 9 * * *", { timezone: "Europe/Berln" })` succeeds. nextRun() throws a TypeError.
# Impact: code that validates a schedule by constructing it finds the fault when the job should run.
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
