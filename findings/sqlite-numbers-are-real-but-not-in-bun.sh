#!/usr/bin/env bash
# Deno's node:sqlite binds the number 5 as REAL. bun:sqlite binds it as INTEGER.
#
# Packages: deno@2.9.6 (its node:sqlite) and bun@1.4.5 (bun:sqlite) (npm).
# Expected: an integral JavaScript number is an integer in SQLite, as in Bun.
# Seen: `select 'k' || ?` with 5 is "k5.0" in node:sqlite and "k5" in bun:sqlite. `? / 2` is 2.5 in
#   node:sqlite and 2 in bun:sqlite. A column with INTEGER affinity hides the difference.
# Impact: SQL that builds keys or JSON from parameters writes different rows in each runtime.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6 bun@1.4.5
sql="select 'k' || ? as text, ? / 2 as half"
cat >deno.mjs <<JS
import { DatabaseSync } from "node:sqlite";
console.log(JSON.stringify(new DatabaseSync(":memory:").prepare("$sql").get(5, 5)));
JS
cat >bun.mjs <<JS
import { Database } from "bun:sqlite";
console.log(JSON.stringify(new Database(":memory:").prepare("$sql").get(5, 5)));
JS
real='{"text":"k5.0","half":2.5}'
deno=$(npx deno run --quiet --no-config -A deno.mjs)
bun=$(npx bun bun.mjs)
echo "deno 2.9.6 node:sqlite: $deno; bun 1.4.5 bun:sqlite: $bun"
[ "$deno" = "$real" ] && [ "$bun" = '{"text":"k5","half":2}' ]
