#!/usr/bin/env bash
# DBOS 4.20 notifies of the first value of an event, and of no later one.
#
# Packages: @dbos-inc/dbos-sdk@4.20.11, @dbos-inc/dbos-sdk@5.3.0, pg@8.23.0 (npm);
#   needs a PostgreSQL in DATABASE_URL whose role may create databases.
# Expected: each DBOS.setEvent sends a notification on dbos_workflow_events_channel, as with 5.3.0.
# Seen: with 4.20.11 two values of one key send one notification, because the trigger is AFTER INSERT
#   and the second value is an update. DBOS's own getEvent waits for a first value alone.
# Impact: whoever watches an event over LISTEN must look from time to time.
# Exits 1 when this changes.
set -euo pipefail
: "${DATABASE_URL:?a PostgreSQL whose role may create databases}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
  old@npm:@dbos-inc/dbos-sdk@4.20.11 new@npm:@dbos-inc/dbos-sdk@5.3.0 pg@8.23.0
cat >run.cjs <<'JS'
const pg = require("pg");
const [, , name] = process.argv;
const { DBOS } = require(name);
const address = (database) => Object.assign(new URL(process.env.DATABASE_URL), { pathname: `/${database}` }).href;

(async () => {
  const database = `finding_${name}_${process.pid}`;
  const admin = new pg.Client(process.env.DATABASE_URL);
  await admin.connect();
  await admin.query(`create database ${database}`);
  DBOS.setConfig({ name: "finding", systemDatabaseUrl: address(database), logLevel: "error", runAdminServer: false });
  const twice = DBOS.registerWorkflow(async () => {
    await DBOS.setEvent("state", 1);
    await DBOS.sleep(500);
    await DBOS.setEvent("state", 2);
  }, { name: "twice" });
  await DBOS.launch();
  const listener = new pg.Client(address(database));
  await listener.connect();
  let heard = 0;
  listener.on("notification", () => heard++);
  await listener.query("listen dbos_workflow_events_channel");
  await (await DBOS.startWorkflow(twice)()).getResult();
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(heard);
  await listener.end();
  await DBOS.shutdown();
  await admin.query(`drop database ${database} with (force)`);
  await admin.end();
})();
JS
old=$(timeout 60 node --no-warnings run.cjs old | tail -1)
new=$(timeout 60 node --no-warnings run.cjs new | tail -1)
echo "notifications of two values: DBOS 4.20.11 sends $old, 5.3.0 sends $new"
[ "$old $new" = "1 2" ]
