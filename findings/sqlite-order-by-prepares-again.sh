#!/usr/bin/env bash
# SQLite 3.54 prepares a statement again at each call, if it has an `order by` and compares a column
# with a parameter that is a text.
#
# Package: better-sqlite3@13.2.0 (npm), with SQLite 3.54.1. Node 24.22 and Bun 1.4.5 have it too.
# Expected: a prepared look into an index takes about as long with `= ?` as with `= cast(? as text)`.
# Seen: it takes six times as long, and the more the longer the statement is. SQLite 3.53 does not do it.
# Impact: the hottest statements of a program are several times as slow, and no error says so.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent node@24.21.0 >/dev/null
# better-sqlite3 13 needs Node 22 or later, also to be installed.
export PATH="$folder/node_modules/.bin:$PATH"
npm install --silent better-sqlite3@13.2.0 >/dev/null
cat >run.mjs <<'JS'
import Database from "better-sqlite3";

const database = new Database(":memory:");
database.exec("create table t (a text, b text, n integer, primary key (a, b, n)) strict, without rowid");
const insert = database.prepare("insert into t values ('x', 'y', ?)");
for (let n = 0; n < 2_000; n++) insert.run(n);
const took = (compared) => {
  const look = database.prepare(`select n from t where a = ${compared} and b = ${compared} order by n limit 1`);
  const times = [];
  for (let n = 0; n < 20_000; n++) {
    const begun = performance.now();
    look.all("x", "y");
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b)[10_000] * 1_000;
};
const [plain, cast] = [took("?"), took("cast(? as text)")];
const { version } = database.prepare("select sqlite_version() as version").get();
console.log(`SQLite ${version}: ${plain.toFixed(1)} µs with \`= ?\`, ${cast.toFixed(1)} µs with \`= cast(? as text)\``);
process.exit(plain > 2 * cast ? 0 : 1);
JS
node run.mjs
