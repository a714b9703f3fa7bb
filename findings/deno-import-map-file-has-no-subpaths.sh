#!/usr/bin/env bash
# A package in deno.json's imports has its subpaths. The same entry in an import map file has not.
#
# Package: deno@2.9.6 (npm).
# Expected: "imports": { "left-pad": "npm:left-pad@1.3.0" } means the same in deno.json and in the file
#   that "importMap" names.
# Seen: in deno.json, "left-pad/index.js" resolves. In the file it is "not a dependency and not in
#   import map", until there is a second entry, "left-pad/": "npm:/left-pad@1.3.0/".
# Impact: moving the map into a file breaks imports that look unrelated, and only those below a package.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
mkdir inside beside both
echo '{ "imports": { "left-pad": "npm:left-pad@1.3.0" }, "lock": false }' >inside/deno.json
for it in beside both; do echo '{ "importMap": "./map.json", "lock": false }' >$it/deno.json; done
echo '{ "imports": { "left-pad": "npm:left-pad@1.3.0" } }' >beside/map.json
echo '{ "imports": { "left-pad": "npm:left-pad@1.3.0", "left-pad/": "npm:/left-pad@1.3.0/" } }' >both/map.json

resolves() {
  echo 'import pad from "left-pad/index.js"; console.log(pad("a", 2));' >"$1/main.ts"
  if (cd "$1" && DENO_DIR="$folder/cache" DENO_NO_UPDATE_CHECK=1 ../node_modules/.bin/deno run main.ts >/dev/null 2>error.txt); then
    echo yes
  else
    grep -q "not in import map" "$1/error.txt" && echo "not in import map"
  fi
}
seen="deno.json: $(resolves inside); file: $(resolves beside); file with both entries: $(resolves both)"
echo "deno 2.9.6: $seen"
[ "$seen" = "deno.json: yes; file: not in import map; file with both entries: yes" ] || { echo "This has changed"; exit 1; }
