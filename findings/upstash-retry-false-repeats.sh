#!/usr/bin/env bash
# @upstash/redis with `retry: false` still sends a command twice when fetch rejects.
#
# Package: @upstash/redis@1.39.0 (npm), Node's own fetch, a local server that drops the connection.
# Expected: `retry: false` makes one request.
# Seen: it makes two requests with the same body. `retry: { retries: 0 }` makes one. The default
#   makes six.
# Impact: a command that is not idempotent (INCR, LPUSH, a script that appends) may run twice,
#   although the caller asked for no repeats.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @upstash/redis@1.39.0
cat >run.mjs <<'JS'
import { createServer } from "node:http";
import { once } from "node:events";
import { Redis } from "@upstash/redis";

let requests = 0;
const server = createServer((request) => {
  requests++;
  request.resume().on("end", () => request.socket.destroy());
}).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;
const counts = {};
for (const [name, retry] of [["false", false], ["{ retries: 0 }", { retries: 0 }]]) {
  requests = 0;
  await new Redis({ url, token: "t", retry, enableTelemetry: false }).incr("counter").catch(() => {});
  counts[name] = requests;
}
server.close();
console.log(`@upstash/redis 1.39.0: requests of one INCR by the option retry: ${JSON.stringify(counts)}`);
process.exit(counts["false"] === 2 && counts["{ retries: 0 }"] === 1 ? 0 : 1);
JS
node run.mjs
