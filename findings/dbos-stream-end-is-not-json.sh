#!/usr/bin/env bash
# DBOS 4.20 ends a stream with a bare word that it calls portable JSON.
#
# Packages: @dbos-inc/dbos-sdk@4.20.11, @dbos-inc/dbos-sdk@5.3.0, pg@8.23.0 (npm); needs a PostgreSQL in DATABASE_URL
#   whose role may create databases.
# Expected: a value whose serialization is portable_json is JSON, as with 5.3.0.
# Seen: with 4.20.11 DBOS.closeStream writes __DBOS_STREAM_CLOSED__ without quotes, as portable_json.
# Impact: a reader that decodes each value by its serialization fails at the end of each stream.
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
  const closing = DBOS.registerWorkflow(() => DBOS.closeStream("log"), { name: "closing" });
  await DBOS.launch();
  await (await DBOS.startWorkflow(closing)()).getResult();
  const reader = new pg.Client(address(database));
  await reader.connect();
  const { rows: [row] } = await reader.query("select serialization, value from dbos.streams");
  console.log(`${row.serialization} ${row.value}`);
  await reader.end();
  await DBOS.shutdown();
  await admin.query(`drop database ${database} with (force)`);
  await admin.end();
})();
JS
old=$(timeout 60 node --no-warnings run.cjs old | tail -1)
new=$(timeout 60 node --no-warnings run.cjs new | tail -1)
echo "the end of a stream: DBOS 4.20.11 writes $old, 5.3.0 writes $new"
[ "$old" = "portable_json __DBOS_STREAM_CLOSED__" ] && [ "$new" = 'portable_json "__DBOS_STREAM_CLOSED__"' ]
