#!/usr/bin/env bash
# In Deno's node:sqlite, iterate() hides the error of a failing statement. all() throws it.
#
# Package: deno@2.9.6 (npm), its node:sqlite.
# Expected: the loop throws SQLite's error.
# Seen: two failing statements end the loop as if there were no more rows: an `insert ... returning`
#   that breaks a unique constraint, and a select whose second row has bad JSON.
# Impact: nothing was written, and nothing says so.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >run.mjs <<'JS'
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(":memory:");
database.exec("create table t (id integer primary key, document text); insert into t values (1, '[1]'), (2, 'no json')");
const run = (read) => {
  try {
    return `${read().length} rows`;
  } catch (error) {
    return `throws ${error.message}`;
  }
};
const seen = [];
for (const sql of ["insert into t values (1, '') returning id", "select json_extract(document, '$[0]') from t order by id"]) {
  seen.push([run(() => database.prepare(sql).all()), run(() => [...database.prepare(sql).iterate()])]);
}
console.log(`deno ${Deno.version.deno}: [all(), iterate()] of a failing insert, of a failing select: ${JSON.stringify(seen)}`);
Deno.exit(seen.every(([all, iterate]) => all.startsWith("throws") && iterate.endsWith("rows")) ? 0 : 1);
JS
npx --yes deno@2.9.6 run --quiet --no-config -A run.mjs
