#!/usr/bin/env bash
# postgres.js keeps the connection of `sql.listen` open after the last `unlisten`, for as long as `sql` lives.
#
# Package: postgres@3.4.9, @electric-sql/pglite@0.5.16 behind @electric-sql/pglite-socket@0.2.17 (npm).
# Expected: a connection that exists only to listen closes when nothing listens any more, or after
#   `idle_timeout`, as the connections of the pool do.
# Seen: with `idle_timeout: 1`, the connection of a query closes after a second. That of `listen` is
#   still open three seconds after `unlisten`, and closes with `sql.end()`.
# Impact: a library that listens only while somebody waits gives no connection back. On servers that
#   stop when nothing is connected, it keeps the server running.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --legacy-peer-deps \
  postgres@3.4.9 @electric-sql/pglite@0.5.16 @electric-sql/pglite-socket@0.2.17
cat >run.mjs <<'JS'
import { connect, createServer } from "node:net";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import postgres from "postgres";

const database = new PGLiteSocketServer({ db: await PGlite.create(), host: "127.0.0.1", port: 0, maxConnections: 4 });
const listening = new Promise((resolve) => database.addEventListener("listening", (event) => resolve(event.detail)));
await database.start();
const { port } = await listening;

// Counts the connections on their way to the database.
let open = 0;
const counting = createServer((socket) => {
  open++;
  const inner = connect(port, "127.0.0.1");
  socket.pipe(inner).pipe(socket);
  socket.on("error", () => {}).on("close", () => (open--, inner.destroy()));
  inner.on("error", () => {}).on("close", () => socket.destroy());
});
await new Promise((resolve) => counting.listen(0, "127.0.0.1", resolve));

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sql = postgres(`postgres://postgres:postgres@127.0.0.1:${counting.address().port}/postgres`, {
  max: 1, idle_timeout: 1,
});
await sql`select 1`;
await pause(3_000);
const afterQuery = open;
const { unlisten } = await sql.listen("channel", () => {});
const whileListening = open;
await unlisten();
await pause(3_000);
const afterUnlisten = open;
await sql.end({ timeout: 1 });
await pause(500);
const seen = { afterQuery, whileListening, afterUnlisten, afterEnd: open };
console.log(`postgres 3.4.9, open connections: ${JSON.stringify(seen)}`);
process.exit(JSON.stringify(seen) === '{"afterQuery":0,"whileListening":1,"afterUnlisten":1,"afterEnd":0}' ? 0 : 1);
JS
timeout 60 node run.mjs
