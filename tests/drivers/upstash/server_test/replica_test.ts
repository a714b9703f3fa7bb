import assert from "node:assert/strict";
import { startRedis } from "../support/redis_server.ts";
import { startUpstashServer, type UpstashServer } from "../server/mod.ts";
import { clientOf, serverTest } from "./setup.ts";

/** Registers a test with a primary and a replica of its own. */
function replicaTest(
  name: string,
  run: (server: UpstashServer, replica: NonNullable<UpstashServer["replica"]>) => Promise<void>,
): void {
  Deno.test(`Upstash with a replica: ${name}`, async () => {
    await using primary = await startRedis();
    await using replica = await startRedis({ replicaOf: primary.url });
    await using server = await startUpstashServer({ redisUrl: primary.url, replicaUrl: replica.url });
    assert(server.replica);
    await run(server, server.replica);
  });
}

async function send(server: UpstashServer, command: unknown, token?: string | null, path = "/") {
  const headers = {
    Authorization: `Bearer ${server.token}`,
    ...(token === undefined ? {} : { "Upstash-Sync-Token": token ?? "" }),
  };
  const response = await fetch(new URL(path, server.url), {
    method: "POST",
    headers,
    body: new Blob([JSON.stringify(command)]),
  });
  return { body: await response.json(), token: response.headers.get("Upstash-Sync-Token") };
}

serverTest("sync tokens: each write moves them, a read does not, and any token is accepted", async ({ send, key }) => {
  const tokens: (string | null)[] = [];
  for (const command of [["SET", key("a"), 1], ["GET", key("a")], ["SET", key("a"), 2], ["GET", key("a")]]) {
    const { body, headers } = await send(command, { headers: { "Upstash-Sync-Token": "my-new-sync-token" } });
    assert(!body.error);
    tokens.push(headers.get("Upstash-Sync-Token"));
  }
  assert.equal(tokens[0], tokens[1]);
  assert.equal(tokens[2], tokens[3]);
  assert.notEqual(tokens[1], tokens[2]);
});

replicaTest("a read without a token, or with an older one, gets old data", async (server, replica) => {
  const { token: before } = await send(server, ["SET", "a", "old"]);
  await replica.hold();
  const { token: after } = await send(server, ["SET", "a", "new"]);
  for (const token of [undefined, "", "my-new-sync-token", before]) {
    assert.deepEqual((await send(server, ["GET", "a"], token)).body, { result: "old" }, `with ${token}`);
  }
  assert.deepEqual((await send(server, [["GET", "a"], ["STRLEN", "a"]], "", "/pipeline")).body, [{ result: "old" }, {
    result: 3,
  }]);
  assert.deepEqual((await send(server, ["EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "a"])).body, {
    result: "old",
  });
  assert.deepEqual((await send(server, ["GET", "a"], after)).body, { result: "new" });
  assert.deepEqual((await send(server, ["GET", "a"])).body, { result: "new" }, "it has caught up for all readers");
  await send(server, ["SET", "a", "newer"]);
  assert.deepEqual((await send(server, ["GET", "a"])).body, { result: "new" }, "it is held again");
  assert.equal(replica.reads, 9);
});

replicaTest("a command that writes, or may write, never gets old data", async (server, replica) => {
  await send(server, ["SET", "a", "1"]);
  await replica.hold();
  await send(server, ["SET", "a", "2"]);
  assert.deepEqual((await send(server, ["GETSET", "a", "3"])).body, { result: "2" });
  assert.deepEqual((await send(server, ["EVAL", "return redis.call('GET', KEYS[1])", 1, "a"])).body, { result: "3" });
  assert.deepEqual((await send(server, [["GET", "a"], ["INCR", "a"]], "", "/multi-exec")).body, [{ result: "3" }, {
    result: 4,
  }]);
  assert.equal(replica.reads, 0);
});

replicaTest("a released replica follows by itself", async (server, replica) => {
  await send(server, ["SET", "a", "1"]);
  await replica.hold();
  await send(server, ["SET", "a", "2"]);
  await replica.release();
  assert.deepEqual((await send(server, ["GET", "a"])).body, { result: "2" });
  const { token } = await send(server, ["SET", "a", "3"]);
  assert.deepEqual((await send(server, ["GET", "a"], token)).body, { result: "3" });
});

replicaTest("the client reads its own writes, and another's only by its token", async (server, replica) => {
  const [one, two] = [clientOf(server.url, server.token), clientOf(server.url, server.token)];
  await one.set("a", "old");
  await replica.hold();
  await one.set("a", "new");
  assert.equal(await two.get("a"), "old");
  assert.equal(await one.get("a"), "new");
  await replica.hold();
  await one.set("a", "newer");
  assert.equal(await two.get("a"), "new");
  two.readYourWritesSyncToken = one.readYourWritesSyncToken;
  assert.equal(await two.get("a"), "newer");
  const careless = clientOf(server.url, server.token, { readYourWrites: false });
  await careless.set("a", "newest");
  assert.equal(await careless.get("a"), "newer");
});

replicaTest("many reads at once, with and without tokens, each get the right data", async (server, replica) => {
  await send(server, ["SET", "a", "0"]);
  await replica.hold();
  for (let round = 1; round <= 20; round++) {
    const { token } = await send(server, ["SET", "a", String(round)]);
    const results = await Promise.all([undefined, token, undefined, token].map((it) => send(server, ["GET", "a"], it)));
    assert.deepEqual([results[1]?.body, results[3]?.body], [{ result: String(round) }, { result: String(round) }]);
    assert([round - 1, round].includes(Number(results[0]?.body.result)));
  }
});
