#!/usr/bin/env bash
# node-postgres' pool.query() closes its connection after every SQL error, even a harmless one.
#
# Packages: pg@8.23.0 with the pg-pool that it installs, @electric-sql/pglite@0.5.14, @electric-sql/pglite-socket@0.2.17 (npm).
# Expected: a division by zero leaves the session usable, so the connection goes back to the pool.
# Seen: pool.totalCount is 1 after a good query and 0 after a failed one, and the next query logs in
#   again. With pool.connect() and client.release(), the connection stays in the pool.
# Impact: each expected error, such as a unique violation or a serialization failure, costs a login.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg@8.23.0 @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17
cat >run.mjs <<'JS'
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import pg from "pg";

const server = new PGLiteSocketServer({ db: await PGlite.create(), host: "127.0.0.1", port: 0 });
const listening = new Promise((resolve) => server.addEventListener("listening", (event) => resolve(event.detail.port)));
await server.start();
const pool = new pg.Pool({ host: "127.0.0.1", port: await listening, user: "postgres", database: "postgres", max: 1 });
const seen = {};
await pool.query("select 1");
seen["after a good query"] = pool.totalCount;
await pool.query("select 1 / 0").catch(() => {});
seen["after an error of pool.query()"] = pool.totalCount;
// The server takes one connection at a time, so the connection above must end first.
await new Promise((resolve) => setTimeout(resolve, 500));
const client = await pool.connect();
await client.query("select 1 / 0").catch(() => {});
client.release();
seen["after an error of client.query()"] = pool.totalCount;
await pool.end();
await server.stop();
console.log(`pg 8.23.0, connections in the pool: ${JSON.stringify(seen)}`);
process.exit(JSON.stringify(Object.values(seen)) === "[1,0,1]" ? 0 : 1);
JS
timeout 120 node run.mjs
