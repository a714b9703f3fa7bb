#!/usr/bin/env bash
# A statement with parameters begins later than its own transaction, although it is the first and only one.
#
# Package: @electric-sql/pglite@0.5.16 (npm), which is PostgreSQL 18.6.
# Expected: PostgreSQL's manual says that statement_timestamp() and transaction_timestamp() return
#   the same value during the first statement of a transaction. So a difference shows that the
#   statement is in a transaction block.
# Seen: the two are equal if the statement comes as one message, in the simple protocol. In the
#   extended protocol, which every client uses for parameters, the transaction begins with the
#   message that parses the statement, and the statement begins with a later message. PostgreSQL 18
#   and 14 as servers, asked through node-postgres, did the same.
# Impact: SQL that commits, or logs, or measures only "outside of a transaction block" by comparing the
#   two never does so for clients that send parameters.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16
cat >run.mjs <<'JS'
import { PGlite } from "@electric-sql/pglite";

const database = await PGlite.create();
const compared = "select statement_timestamp() = transaction_timestamp() as same";
const [{ rows: [simple] }] = await database.exec(compared);
// Only some differ here, because PGlite's clock has milliseconds. On a server all do.
let extended = 0;
for (let n = 0; n < 2_000; n++) {
  const { rows: [row] } = await database.query(`${compared}, $1::int as n`, [n]);
  extended += row.same ? 1 : 0;
}
const { rows: [{ version }] } = await database.query("select version() as version");
console.log(`${version.slice(0, 32)}: simple protocol, the same: ${simple.same}; extended, the same: ${extended} of 2000`);
process.exit(simple.same && extended < 2_000 ? 0 : 1);
JS
timeout 60 node run.mjs
