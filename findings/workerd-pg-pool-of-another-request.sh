#!/usr/bin/env bash
# In workerd, a pool of node-postgres that two requests share never answers the second one.
#
# Packages: miniflare@4.20260730.0 with the workerd that it installs, pg@8.23.1, esbuild@0.28.2,
#   @electric-sql/pglite@0.5.14, @electric-sql/pglite-socket@0.2.17 (npm).
# Expected: the second query is answered, or rejects with "Cannot perform I/O on behalf of a
#   different request", as a shared socket or response body does.
# Seen: it stays pending, and nothing is logged. A pool that the request makes itself answers.
# Impact: a global pool, which is right in Node, works for one request. All others hang until a time
#   limit of the application.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund miniflare@4.20260730.0 pg@8.23.1 esbuild@0.28.2 \
  @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17
cat >worker.mjs <<'JS'
import pg from "pg";
let shared;
export default {
  async fetch(request, env) {
    const make = () => new pg.Pool({ connectionString: env.HYPERDRIVE.connectionString, max: 1 });
    const isShared = new URL(request.url).pathname === "/shared";
    const pool = isShared ? shared ??= make() : make();
    const late = new Promise((resolve) => setTimeout(resolve, 2_000, "nothing within 2 s"));
    const answer = pool.query("select 1").then(() => "answered", (error) => error.message);
    const seen = await Promise.race([answer, late]);
    if (!isShared) await pool.end();
    return new Response(seen);
  },
};
JS
npx esbuild worker.mjs --bundle --format=esm --platform=node --conditions=workerd --external:cloudflare:* --external:pg-native \
  --log-level=error --outfile=bundle.mjs \
  --banner:js='import { createRequire } from "node:module"; const require = createRequire("/");'
cat >run.mjs <<'JS'
import { readFileSync } from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { Miniflare } from "miniflare";

const server = new PGLiteSocketServer({
  db: await PGlite.create(), host: "127.0.0.1", port: 0, maxConnections: 10,
});
const listening = new Promise((resolve) => server.addEventListener("listening", (event) => resolve(event.detail.port)));
await server.start();
const lines = [];
const miniflare = new Miniflare({
  modules: [{ type: "ESModule", path: "worker.js", contents: readFileSync("bundle.mjs", "utf8") }],
  compatibilityDate: "2026-07-01",
  compatibilityFlags: ["nodejs_compat"],
  hyperdrives: { HYPERDRIVE: `postgres://postgres:postgres@127.0.0.1:${await listening}/postgres` },
  handleRuntimeStdio: (out, err) => {
    out.on("data", (text) => lines.push(String(text)));
    err.on("data", (text) => lines.push(String(text)));
  },
});
const ask = async (path) => await (await miniflare.dispatchFetch(`http://localhost${path}`)).text();
const seen = { own: [await ask("/own"), await ask("/own")], shared: [await ask("/shared"), await ask("/shared")] };
await miniflare.dispose();
console.log(`miniflare 4.20260730.0, pg 8.23.1: ${JSON.stringify(seen)}, logged: ${JSON.stringify(lines)}`);
const expected = { own: ["answered", "answered"], shared: ["answered", "nothing within 2 s"] };
process.exit(JSON.stringify(seen) === JSON.stringify(expected) && lines.length === 0 ? 0 : 1);
JS
timeout 120 node run.mjs
