#!/usr/bin/env bash
# `insert ... returning` into a view of SQLite returns a row although its trigger wrote nothing, and says that
# nothing changed although its trigger wrote something.
#
# Package: better-sqlite3@13.2.0 (npm), with SQLite 3.54.1. Deno 2.9.6 (SQLite 3.53.2) has it too.
# Expected: `returning` gives the rows that were inserted, and `changes` counts them.
# Seen: if `when` of the `instead of` trigger is false, `returning` gives a row and the table stays empty. If it is
# true, the table has the row and `changes` is 0. Only `raise(ignore)` in the trigger keeps the row back.
# Impact: neither answer tells whether a write through a view has happened. A caller that trusts `returning` takes a
# value that nothing recorded.
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
database.exec(`
create table t (n integer not null);
create view by_when as select n from t;
create trigger w instead of insert on by_when when new.n > 0 begin insert into t values (new.n); end;
create view by_raise as select n from t;
create trigger r instead of insert on by_raise begin
  select raise(ignore) where new.n <= 0;
  insert into t values (new.n);
end;`);
const count = () => database.prepare("select count(*) as n from t").get().n;
const written = (run) => {
  const before = count();
  const result = run();
  return { result, written: count() - before };
};
const seen = {
  "returning, `when` is false": written(() => database.prepare("insert into by_when values (-1) returning n").all().length),
  "returning, raise(ignore)": written(() => database.prepare("insert into by_raise values (-1) returning n").all().length),
  "changes, a row is written": written(() => database.prepare("insert into by_when values (1)").run().changes),
};
const { version } = database.prepare("select sqlite_version() as version").get();
console.log(`SQLite ${version}`);
for (const [name, { result, written }] of Object.entries(seen)) console.log(`${name}: told ${result}, written ${written}`);
const told = Object.values(seen).map(({ result, written }) => `${result} ${written}`).join();
process.exit(told === "1 0,0 0,0 1" ? 0 : 1);
JS
node run.mjs
