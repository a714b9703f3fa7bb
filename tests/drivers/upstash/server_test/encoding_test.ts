import assert from "node:assert/strict";
import { serverTest } from "./setup.ts";

const BASE64 = { "Upstash-Encoding": "base64" };
const RESP2 = { "Upstash-Response-Format": "resp2" };

serverTest("text stays text, and invalid UTF-8 becomes U+FFFD", async ({ send, key }) => {
  await send(new Uint8Array([0x61, 0xff, 0x62]), { path: `/set/${key("a")}` });
  assert.deepEqual((await send(["GET", key("a")])).body, { result: "a\ufffdb" });
  await send(["SET", key("b"), "é \u0000 \u2028 𝄞"]);
  assert.deepEqual((await send(["GET", key("b")])).body, { result: "é \u0000 \u2028 𝄞" });
  assert.deepEqual((await send(["GET", key("c")])).body, { result: null });
});

serverTest("base64: every text but the reply OK, at any depth; no number, no error", async ({ send, key }) => {
  const encoded = async (...command: unknown[]) => (await send(command, { headers: BASE64 })).body;
  assert.deepEqual(await encoded("SET", key("a"), "OK"), { result: "OK" });
  assert.deepEqual(await encoded("GET", key("a")), { result: btoa("OK") });
  assert.deepEqual(await encoded("PING"), { result: btoa("PONG") });
  assert.deepEqual(await encoded("TYPE", key("a")), { result: btoa("string") });
  assert.deepEqual(await encoded("STRLEN", key("a")), { result: 2 });
  assert.deepEqual(await encoded("MGET", key("a"), key("none")), { result: [btoa("OK"), null] });
  assert.deepEqual(await encoded("INCR", key("a")), { error: "ERR value is not an integer or out of range" });
  const nested = "return {{'a', 1, {redis.call('SET', KEYS[1], 'b')}}, redis.status_reply('OK')}";
  assert.deepEqual(await encoded("EVAL", nested, 1, key("a")), { result: [[btoa("a"), 1, [btoa("OK")]], btoa("OK")] });
  const { body } = await send([["SET", key("a"), 1], ["GET", key("a")], ["GET"]], {
    path: "/pipeline",
    headers: BASE64,
  });
  assert.deepEqual(body, [{ result: "OK" }, { result: btoa("1") }, {
    error: "ERR wrong number of arguments for 'get' command",
  }]);
});

serverTest("base64: the client reads every reply right, also OK in an array", async ({ redis, key }) => {
  assert.equal(await redis.set(key("a"), "zürich"), "OK");
  assert.equal(await redis.get(key("a")), "zürich");
  assert.equal(await redis.ping(), "PONG");
  assert.deepEqual(await redis.eval("return {redis.call('SET', KEYS[1], 'b'), 'c', 7}", [key("a")], []), [
    "OK",
    "c",
    7,
  ]);
  assert.deepEqual(await redis.pipeline().set(key("a"), 1).get(key("a")).exec(), ["OK", 1]);
  assert.deepEqual(await redis.multi().set(key("a"), 2).get(key("a")).exec(), ["OK", 2]);
});

serverTest("integers have all their digits, although JavaScript loses some", async ({ fetch, key }) => {
  await (await fetch(["SET", key("a"), "9007199254740992"])).body?.cancel();
  assert.equal(await (await fetch(["INCR", key("a")])).text(), '{"result":9007199254740993}');
});

serverTest("resp2: the bytes of Redis, of one command and of many", async ({ fetch, send, key }) => {
  const raw = async (body: unknown, path = "/") => {
    const response = await fetch(body, { path, headers: RESP2 });
    return [response.status, response.headers.get("Content-Type"), new TextDecoder().decode(await response.bytes())];
  };
  const bytes = "application/octet-stream";
  assert.deepEqual(await raw(["SET", key("a"), "é"]), [200, bytes, "+OK\r\n"]);
  assert.deepEqual(await raw(["MGET", key("a"), key("b")]), [200, bytes, "*2\r\n$2\r\né\r\n$-1\r\n"]);
  assert.deepEqual(await raw(["EVAL", "return {1, {}, false}", 0]), [200, bytes, "*3\r\n:1\r\n*0\r\n$-1\r\n"]);
  assert.deepEqual(await raw(["GET"]), [400, bytes, "-ERR wrong number of arguments for 'get' command\r\n"]);
  assert.deepEqual(await raw([["PING"], ["EXISTS", key("a")]], "/pipeline"), [200, bytes, "+PONG\r\n:1\r\n"]);
  const transaction = await send([["PING"]], { path: "/multi-exec", headers: RESP2 });
  assert.deepEqual(transaction.body, [{ result: "PONG" }]);
});

serverTest("an unknown format, and resp2 in base64, are refused", async ({ send, key }) => {
  for (const headers of [{ "Upstash-Response-Format": "resp3" }, { ...RESP2, ...BASE64 }]) {
    assert.equal((await send(["SET", key("a"), 1], { headers })).status, 400);
  }
  assert.deepEqual((await send(["EXISTS", key("a")], { headers: { "Upstash-Response-Format": "json" } })).body, {
    result: 0,
  });
});
