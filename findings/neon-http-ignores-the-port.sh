#!/usr/bin/env bash
# neon() sends its queries to port 443 whatever port the connection string names, and to another host than the one it names.
#
# Package: @neondatabase/serverless@1.2.0 (npm), with a fetch function that only records the URL.
# Expected: postgres://user:password@db.example.com:6543/app is reached at db.example.com and port 6543, or the port is refused.
# Seen: the request goes to https://api.example.com/sql: the first label of the host is replaced and the port is dropped, in silence.
# It matters with local proxies and port forwards: the query, with the password in a header, leaves for another address.
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
