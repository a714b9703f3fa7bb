#!/usr/bin/env bash
# deno task downloads every npm package of deno.json's imports before it runs a task that needs none.
#
# Package: deno@2.9.6 (npm).
# Expected: "deno task hi", which is "echo hi", needs no package. Modules download what they import.
# Seen: deno task first installs all packages that "imports" names, with their dependencies. With the
#   same map in a file of its own ("importMap"), it installs none.
# Impact: a demo in a repository with many test dependencies downloaded 697 MB before its first line.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund deno@2.9.6
imports='{ "left-pad": "npm:left-pad@1.3.0", "is-odd": "npm:is-odd@3.0.1" }'
mkdir inside beside
echo "{ \"imports\": $imports, \"lock\": false, \"tasks\": { \"hi\": \"echo hi\" } }" >inside/deno.json
echo "{ \"importMap\": \"./map.json\", \"lock\": false, \"tasks\": { \"hi\": \"echo hi\" } }" >beside/deno.json
echo "{ \"imports\": $imports }" >beside/map.json

# The npm packages in Deno's cache after the task.
packages() {
  (cd "$1" && DENO_DIR="$folder/cache-$1" DENO_NO_UPDATE_CHECK=1 ../node_modules/.bin/deno task hi >/dev/null 2>&1)
  find "$folder/cache-$1/npm" -name package.json 2>/dev/null | sed -E 's#.*/([^/]+)/[0-9][^/]*/package.json#\1#' | sort -u | paste -sd, -
}
seen="imports: $(packages inside); importMap: $(packages beside)"
echo "deno 2.9.6: $seen"
[ "$seen" = "imports: is-number,is-odd,left-pad; importMap: " ] || { echo "This has changed"; exit 1; }
