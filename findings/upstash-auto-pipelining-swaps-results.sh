#!/usr/bin/env bash
# If a command cannot be serialised, @upstash/redis mixes up the results of the same tick's commands.
#
# Package: @upstash/redis@1.39.0 (npm; auto-pipelining is on by default), a local server that answers each GET with its key.
# Expected: the failing command rejects. The others get their own results.
# Seen: one command has a BigInt argument, which JSON does not have. Each later command gets the
#   result of the next command, and the last one rejects. With enableAutoPipelining: false, only the
#   bad command rejects.
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

const server = createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  const answer = ([command, key]) => ({ result: `${command.toLowerCase()} ${key}` });
  const body = JSON.parse(text);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(Array.isArray(body[0]) ? body.map(answer) : answer(body)));
}).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;
async function results(enableAutoPipelining) {
  const redis = new Redis({ url, token: "t", retry: { retries: 0 }, enableTelemetry: false, responseEncoding: false, enableAutoPipelining });
  const get = async (key) => await redis.get(key);
  const settled = await Promise.allSettled([get("a"), get(1n), get("b"), get("c")]);
  return settled.map(({ value, reason }) => value ?? `rejected: ${reason.constructor.name}`);
}
const on = await results(true);
const off = await results(false);
server.close();
console.log(`@upstash/redis 1.39.0: GET a, GET 1n, GET b, GET c\n  with auto-pipelining: ${JSON.stringify(on)}\n  without: ${JSON.stringify(off)}`);
const own = (list) => list[0] === "get a" && list[2] === "get b" && list[3] === "get c";
process.exit(!own(on) && own(off) ? 0 : 1);
JS
node run.mjs
