#!/usr/bin/env bash
# Hono's cors() with a list of origins replaces the handler's Vary header with "Origin".
#
# Packages: hono@4.10.0 and hono@4.13.19 (npm).
# Expected: cors() adds "Origin" to the handler's Vary header.
# Seen: with 4.10.0, `Vary: Accept` becomes `Vary: Origin`. 4.13.19 keeps both.
# Impact: a cache may return JSON to a client that asks for an event stream. That concerns adapters
#   that negotiate by Accept and support a range of Hono's versions.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund old@npm:hono@4.10.0 new@npm:hono@4.13.19
cat >run.mjs <<'JS'
const seen = {};
for (const name of ["old", "new"]) {
  const { Hono } = await import(name);
  const { cors } = await import(`${name}/cors`);
  const app = new Hono();
  app.use(cors({ origin: ["https://example.com"] }));
  app.get("/", (c) => c.json({}, 200, { Vary: "Accept" }));
  seen[name] = (await app.request("/", { headers: { Origin: "https://example.com" } })).headers.get("vary");
}
console.log(`Vary of an answer that has "Accept": hono 4.10.0 ${seen.old}; hono 4.13.19 ${seen.new}`);
process.exit(seen.old === "Origin" && /accept/i.test(seen.new) ? 0 : 1);
JS
node run.mjs
