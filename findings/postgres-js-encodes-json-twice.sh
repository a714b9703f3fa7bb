#!/usr/bin/env bash
# postgres.js encodes a JSON text again if the statement casts the parameter to jsonb.
#
# Packages: postgres@3.4.9, @electric-sql/pglite@0.5.14, @electric-sql/pglite-socket@0.2.17 (npm).
# Expected: the client sends a string parameter unchanged, and `$1::jsonb` parses it. node-postgres
#   and PGlite do so.
# Seen: the client asks the server for the parameter's type, gets jsonb, and encodes the string
#   again. `$1::jsonb` of '{"a":1}' is then a JSON string, not an object. `$1::text::jsonb` is the
#   object with every client.
# Impact: SQL that several clients share does not fail, but `->` finds nothing.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund postgres@3.4.9 @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17
cat >run.mjs <<'JS'
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import postgres from "postgres";

const db = await PGlite.create();
const server = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0 });
const listening = new Promise((resolve) => server.addEventListener("listening", (event) => resolve(event.detail.port)));
await server.start();
const port = await listening;
const sql = postgres({ host: "127.0.0.1", port, user: "postgres", database: "postgres", max: 1, ssl: false, onnotice: () => {} });
const kind = async (cast) => (await sql.unsafe(`select jsonb_typeof($1::${cast}) as kind`, ['{"a":1}']))[0].kind;
const seen = { "postgres.js $1::jsonb": await kind("jsonb"), "postgres.js $1::text::jsonb": await kind("text::jsonb") };
await sql.end();
seen["PGlite $1::jsonb"] = (await db.query("select jsonb_typeof($1::jsonb) as kind", ['{"a":1}'])).rows[0].kind;
await server.stop();
console.log(`postgres 3.4.9, pglite 0.5.14: jsonb_typeof of the text '{"a":1}': ${JSON.stringify(seen)}`);
process.exit(seen["postgres.js $1::jsonb"] === "string" && seen["postgres.js $1::text::jsonb"] === "object" ? 0 : 1);
JS
timeout 120 node run.mjs
