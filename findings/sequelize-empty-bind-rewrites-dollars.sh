#!/usr/bin/env bash
# Sequelize rewrites `$$` in a raw statement as soon as `bind` is given, even an empty list.
#
# Package: sequelize@6.37.8, pg@8.23.0, @electric-sql/pglite@0.5.16 behind @electric-sql/pglite-socket@0.2.17 (npm).
# Expected: without parameters, a statement reaches the server as it is.
# Seen: query("do $$ begin end $$") works. With { bind: [] } the same statement is sent as
#   "do $ begin end $", which is a syntax error.
# Impact: a migration that runs through a shim `(text, params) => query(text, { bind: params })`
#   fails, if it has functions with dollar quotes.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --legacy-peer-deps \
  sequelize@6.37.8 pg@8.23.0 @electric-sql/pglite@0.5.16 @electric-sql/pglite-socket@0.2.17
cat >run.mjs <<'JS'
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { Sequelize } from "sequelize";

const server = new PGLiteSocketServer({ db: await PGlite.create(), host: "127.0.0.1", port: 0 });
const listening = new Promise((resolve) => server.addEventListener("listening", (event) => resolve(event.detail)));
await server.start();
const { port } = await listening;
const sequelize = new Sequelize(`postgres://postgres:postgres@127.0.0.1:${port}/postgres`, {
  logging: false, pool: { max: 1 },
});
const outcome = (options) => sequelize.query("do $$ begin end $$", options).then(() => "done", (error) => error.message);
const seen = { without: await outcome(), bind: await outcome({ bind: [] }) };
console.log(`sequelize 6.37.8: ${JSON.stringify(seen)}`);
process.exit(seen.without === "done" && seen.bind === 'syntax error at or near "$"' ? 0 : 1);
JS
timeout 60 node run.mjs
