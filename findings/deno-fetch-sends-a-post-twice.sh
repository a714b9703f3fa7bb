#!/usr/bin/env bash
# Deno's fetch() sends a POST again if a kept-alive connection ends before the response's head arrives.
#
# Package: deno@2.9.6 (npm), its own fetch() and a TCP server from its standard API.
# Expected: the client reports the failure, because a POST is not idempotent. Its caller decides
#   about a repeat. Browsers and Node do so.
# Seen: the server reads the whole POST, closes the connection without a response, and gets the same
#   POST again on a new connection. The call succeeds, so the caller cannot know that its request was
#   carried out twice.
# Impact: a client of a database over HTTP stores an INSERT without a key of its own twice.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >run.ts <<'TS'
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const decoder = new TextDecoder();
let posts = 0;
async function serve(connection: Deno.Conn): Promise<void> {
  let text = "";
  const buffer = new Uint8Array(4096);
  for (;;) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) return;
    text += decoder.decode(buffer.subarray(0, length));
    if (!text.endsWith("the body")) continue;
    posts++;
    text = "";
    // The first POST opens the connection. The second is read and gets no answer. The third is the
    // repeat.
    if (posts === 2) return connection.close();
    await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  }
}
(async () => {
  for await (const connection of listener) void serve(connection);
})();
const { port } = listener.addr as Deno.NetAddr;
const post = async () => await (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "the body" })).text();
await post();
const answer = await post().catch((error) => `rejected: ${error.message}`);
console.log(`deno ${Deno.version.deno}: fetch() was called 2 times, the server read ${posts} POSTs, the second call answered: ${answer}`);
Deno.exit(posts === 3 && answer === "ok" ? 0 : 1);
TS
npx --yes deno@2.9.6 run --quiet --no-config --allow-net=127.0.0.1 run.ts
