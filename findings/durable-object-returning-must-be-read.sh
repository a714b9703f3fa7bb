#!/usr/bin/env bash
# In a Durable Object, an `insert ... returning` whose cursor is not read fails, and the row is lost.
#
# Package: miniflare@4.20260730.0 with the workerd that it installs (npm).
# Expected: sql.exec() carries the statement out, whether the caller reads the cursor or not.
# Seen: exec() returns and the code goes on. Then the request fails with "internal error", which
#   names no statement, and its writes are rolled back. The statement works if toArray() reads the
#   cursor.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund miniflare@4.20260730.0 deno@2.9.6
cat >run.mjs <<'JS'
import { Miniflare } from "miniflare";

const script = `
import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  fetch(request) {
    const { sql } = this.ctx.storage;
    sql.exec("create table if not exists t (id integer primary key)");
    if (request.url.endsWith("/count")) return Response.json(sql.exec("select count(*) as n from t").one().n);
    const cursor = sql.exec("insert into t default values returning id");
    if (request.url.endsWith("/read")) cursor.toArray();
    return new Response("done");
  }
}
export default { fetch: (request, env) => env.STORE.get(env.STORE.idFromName("one")).fetch(request) };`;
const miniflare = new Miniflare({
  modules: true, script, compatibilityDate: "2026-07-01", durableObjects: { STORE: { className: "Store", useSQLite: true } },
  handleRuntimeStdio: (out, err) => { out.resume(); err.resume(); },
});
const ask = async (path) => {
  try {
    const response = await miniflare.dispatchFetch(`http://localhost${path}`);
    return `${response.status} ${(await response.text()).split("\n")[0].slice(0, 60)}`;
  } catch (error) {
    return `rejected: ${String(error.message).split("\n")[0].slice(0, 60)}`;
  }
};
const seen = { read: await ask("/read"), "count after read": await ask("/count"), unread: await ask("/unread"), "count after unread": await ask("/count") };
await miniflare.dispose();
console.log(`miniflare 4.20260730.0: ${JSON.stringify(seen)}`);
process.exit(seen.read === "200 done" && seen["count after read"] === "200 1" && seen.unread !== "200 done" && seen["count after unread"] === "200 1" ? 0 : 1);
JS
timeout 120 npx deno run --quiet --no-config --node-modules-dir=manual -A run.mjs
