#!/usr/bin/env bash
# neon() ignores the connection string's port and changes its host.
#
# Package: @neondatabase/serverless@1.2.0 (npm), with a fetch function that only records the URL.
# Expected: for postgres://user:password@db.example.com:6543/app, neon() sends its queries to port
#   6543 of db.example.com, or refuses the port.
# Seen: the request goes to https://api.example.com/sql, which is port 443. neon() silently replaces
#   the host's first label and drops the port.
# Impact: with a local proxy or a port forward, the query and the password go to another address.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @neondatabase/serverless@1.2.0
cat >run.mjs <<'JS'
import { neon, neonConfig } from "@neondatabase/serverless";

let asked;
neonConfig.fetchFunction = async (url) => {
  asked = String(url);
  return Response.json({ fields: [], rows: [], command: "SELECT", rowCount: 0, rowAsArray: true });
};
await neon("postgres://user:password@db.example.com:6543/app").query("select 1");
console.log(`@neondatabase/serverless 1.2.0: host db.example.com and port 6543 of the connection string become ${asked}`);
process.exit(asked === "https://api.example.com/sql" ? 0 : 1);
JS
node run.mjs
