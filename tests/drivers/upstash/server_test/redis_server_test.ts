import assert from "node:assert/strict";
import { startRedis } from "../support/redis_server.ts";
import { Redis } from "../server/redis.ts";

Deno.test("a Redis of a test's own starts empty, keeps nothing, and is gone with its folder when it is stopped", async () => {
  const server = await startRedis();
  let folder = "";
  {
    using redis = await Redis.connect(server.url);
    assert.equal(await redis.ask("DBSIZE"), 0);
    assert.match(server.version, /^\d+\.\d+\.\d+/);
    const settings = await redis.ask("CONFIG", "GET", "dir") as string[];
    folder = settings[1] ?? "";
    assert.deepEqual(await redis.ask("CONFIG", "GET", "save"), ["save", ""]);
    await redis.ask("SET", "a", "1");
  }
  assert((await Deno.stat(`${folder}/redis.conf`)).isFile);
  await server.stop();
  await server.stop();
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  await assert.rejects(Redis.connect(server.url));
});

Deno.test("servers that are started at once are different ones", async () => {
  await using one = await startRedis();
  await using two = await startRedis();
  assert.notEqual(one.url, two.url);
  using redis = await Redis.connect(one.url);
  using other = await Redis.connect(two.url);
  await redis.ask("SET", "a", "1");
  assert.equal(await other.ask("GET", "a"), null);
});

Deno.test("a replica has the data of its primary, and gets later writes", async () => {
  await using primary = await startRedis();
  using redis = await Redis.connect(primary.url);
  await redis.ask("SET", "a", "1");
  await using replica = await startRedis({ replicaOf: primary.url });
  using other = await Redis.connect(replica.url);
  assert.equal(await other.ask("GET", "a"), "1");
  await redis.ask("SET", "a", "2");
  while (await other.ask("GET", "a") !== "2") await new Promise((resolve) => setTimeout(resolve, 1));
  await assert.rejects(other.ask("SET", "a", "3"), /READONLY/);
});

Deno.test("a Redis ends soon after the process that started it, however that process ends", async () => {
  const code = `import { startRedis } from "${new URL("../../../../scripts/redis.ts", import.meta.url)}";
    console.log((await startRedis()).url); await new Promise(() => setInterval(() => {}, 1_000));`;
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "-"], stdin: "piped", stdout: "piped" })
    .spawn();
  await new Blob([code]).stream().pipeTo(child.stdin);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: url = "" } = await reader.read();
  (await Redis.connect(url.trim()))[Symbol.dispose]();
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  const isThere = () => Redis.connect(url.trim()).then((redis) => (redis[Symbol.dispose](), true), () => false);
  while (await isThere()) await new Promise((resolve) => setTimeout(resolve, 5));
});
