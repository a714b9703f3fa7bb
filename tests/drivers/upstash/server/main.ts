/**
 * The local Upstash as a program, for measurements. It prints its URL and its token as JSON, and
 * serves until its standard input ends. Its argument is the URL of Redis.
 *
 * `counts` is a URL that answers with `{ requests, commands }`: how many requests the server has had,
 * and how many billed commands it has carried out.
 *
 * @module
 */

import { startUpstashServer } from "./mod.ts";

const [redisUrl = ""] = Deno.args;
await using server = await startUpstashServer({ redisUrl });
await using counting = Deno.serve({ hostname: server.hostname, port: 0, onListen: () => {} }, () => {
  return Response.json({ requests: server.requests.total, commands: server.commands.billed });
});
const counts = `http://${server.hostname}:${counting.addr.port}`;
console.log(JSON.stringify({ url: server.url, token: server.token, counts }));
for await (const _ of Deno.stdin.readable);
