#!/usr/bin/env bash
# deno check --doc-only refuses an example in Markdown that deno test --doc checks and runs.
#
# Package: deno@2.9.6 (npm).
# Expected: an example that "deno test --doc" accepts is accepted by "deno check --doc-only" too.
# Seen: the check moves an "export default" to the first line of the example, before the constant or
#   class that it exports. It then reports TS2448: used before its declaration.
# Impact: Workers and servers end with "export default app", so their examples in Markdown can only be
#   checked by "deno test --doc --no-run".
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
export NO_COLOR=1 DENO_NO_UPDATE_CHECK=1 DENO_DIR="$folder/cache"
cat >guide.md <<'GUIDE'
```ts
const app = { fetch: () => new Response("hello") };
export default app;
```
GUIDE

node_modules/.bin/deno test --doc guide.md >test.txt 2>&1 && tested=passed || tested=refused
node_modules/.bin/deno check --doc-only guide.md >check.txt 2>&1 && checked=passed || checked=refused
code=$(grep -oE 'TS2448|TS2454' check.txt | sort -u | paste -sd, - || true)
place=$(grep -oE 'guide.md#[0-9-]+.ts:[0-9]+' check.txt | head -1 || true)
seen="test --doc: $tested; check --doc-only: $checked ($code) at $place"
echo "deno 2.9.6: $seen"
[ "$seen" = "test --doc: passed; check --doc-only: refused (TS2448,TS2454) at guide.md#1-5.ts:1" ] ||
  { echo "This has changed"; exit 1; }
