import assert from "node:assert/strict";
import { startRedis } from "../support/redis_server.ts";
import { Redis } from "../server/redis.ts";
import { startUpstashServer } from "../server/mod.ts";
import { anyRejection, clientOf, SERVER_REDIS, serverTest } from "./setup.ts";

const LOCKING = "#!lua flags=allow-key-locking\n";
const dynamic = (key: string) =>
  `ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ${key}`;

async function sha1(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text))).toHex();
}

serverTest(
  "scripts: the flag is accepted, alone and with others, which keep their meaning",
  async ({ redis, key }) => {
    assert.equal(await redis.eval(`${LOCKING}return redis.call('INCR', KEYS[1])`, [key("a")], []), 1);
    const readOnly = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call(ARGV[1], KEYS[1])";
    assert.equal(await redis.eval(readOnly, [key("a")], ["GET"]), 1);
    assert.match(
      (await anyRejection(redis.eval(readOnly, [key("a")], ["INCR"]))).message,
      /^ERR Write commands are not allowed from read-only/,
    );
    assert.match(
      (await anyRejection(redis.eval("#!lua flags=other\nreturn 1", [], []))).message,
      /^ERR Unexpected flag in script shebang: other/,
    );
  },
);

serverTest(
  "scripts: with the flag, an undeclared key is refused at any place of a command",
  async ({ redis, key, send }) => {
    const [declared, other] = [key("declared"), key("other")];
    const refused: [script: string, key: string][] = [
      ["redis.call('SET', ARGV[1], 1)", other],
      ["redis.call('GET', 'fixed')", "fixed"],
      ["redis.call('MSET', KEYS[1], 1, ARGV[1], 2)", other],
      ["redis.call('XREAD', 'COUNT', 1, 'STREAMS', KEYS[1], ARGV[1], 0, 0)", other],
      ["redis.call('ZUNIONSTORE', KEYS[1], 1, ARGV[1])", other],
      ["redis.call('RPOPLPUSH', KEYS[1], ARGV[1])", other],
    ];
    for (const [script, name] of refused) {
      const { status, body } = await send(["EVAL", `${LOCKING}return ${script}`, 1, declared, other]);
      assert.deepEqual([status, body], [400, { error: dynamic(name) }], script);
      assert.equal(
        (await send(["EVAL", `${LOCKING}return redis.p${script.slice(6)}.err`, 1, declared, other])).body.result,
        dynamic(name),
      );
      const { error = "" } = (await send(["EVAL", `return ${script}`, 1, declared, other])).body;
      assert.doesNotMatch(error, /Dynamic keys/, `without: ${script}`);
    }
    const built = `${LOCKING}local prefix = string.sub(KEYS[1], 1, -2) return redis.call('EXISTS', prefix .. 'd')`;
    assert.equal(await redis.eval(built, [declared], []), 1, "the key counts, not how the script made it");
    assert.match(
      (await anyRejection(redis.eval(`${LOCKING}return redis.call('FLUSHDB')`, [], []))).message,
      /FLUSHDB is not allowed/,
    );
  },
);

serverTest("scripts: commands without keys pass, and their own errors too", async ({ redis, key, send }) => {
  const script = `${LOCKING}local time = redis.call('TIME') redis.call('PUBLISH', ARGV[1], 'x') return #time`;
  assert.equal(await redis.eval(script, [], [key("a")]), 2);
  const error = async (script: string) => (await send(["EVAL", LOCKING + script, 1, key("a")])).body.error;
  // Valkey does not name the server in the message.
  assert.match(
    (await error("return redis.call('GET')")) ?? "",
    /^ERR Wrong number of args calling (Redis )?command from script$/,
  );
  assert.match(
    (await error("return redis.call('NONE', KEYS[1])")) ?? "",
    /^ERR Unknown (Redis )?command called from script$/,
  );
  assert.equal(
    await error("redis.call('SET', KEYS[1], 'x') return redis.call('INCR', KEYS[1])"),
    "ERR value is not an integer or out of range",
  );
  assert.match(await error("local a\nreturn a.b"), /^ERR user_script:3: attempt to index local 'a'/);
  assert.match(await error("return ("), /^ERR Error compiling script/);
  assert.equal(await error("error('mine', 0)"), "ERR mine");
  assert.equal(await error("error({ err = 'MINE text' })"), "MINE text");
  assert.equal(await error("return redis.error_reply('MINE text')"), "MINE text");
});

serverTest("scripts: replies are what Redis makes of them", async ({ redis, key }) => {
  const result = (script: string) => redis.eval(script, [key("a")], ["x"]);
  assert.equal(await result("return nil"), null);
  assert.equal(await result("-- nothing"), null);
  assert.equal(await result("return false"), null);
  assert.equal(await result("return true"), 1);
  assert.equal(await result("return 3.9"), 3);
  assert.deepEqual(await result("return {1, 'a', {KEYS[1], ARGV}, nil, 2}"), [1, "a", [key("a"), ["x"]]]);
  assert.equal(await result("return redis.sha1hex('')"), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  assert.deepEqual(await result("return cjson.encode({ a = { 1, 2 } })"), { a: [1, 2] }); // The client parses JSON.
});

serverTest("scripts: a number as an argument loses its fraction, which a text keeps", async ({ send, key }) => {
  const set = (value: string) =>
    send(["EVAL", `redis.call('SET', KEYS[1], ${value}) return redis.call('GET', KEYS[1])`, 1, key("a")]);
  const stored = async (value: string) => (await set(value)).body.result;
  assert.deepEqual([await stored("3.7"), await stored("-3.7"), await stored("2^53"), await stored("7")], [
    "3",
    "-3",
    "9007199254740992",
    "7",
  ]);
  assert.deepEqual([await stored("tostring(3.7)"), await stored("'3.70'")], ["3.7", "3.70"]);
});

serverTest(
  "scripts: EVALSHA finds scripts of EVAL or SCRIPT LOAD, by the SHA-1 of the text that was sent",
  async ({ redis, key, send }) => {
    for (const shebang of ["", LOCKING]) {
      const script = `${shebang}-- ${key("a")}\nreturn {KEYS[1], ARGV[1]}`;
      const sha = await sha1(script);
      const missing = await send(["EVALSHA", sha, 1, "k", "v"]);
      assert.deepEqual([missing.status, missing.body], [400, {
        error: "NOSCRIPT No matching script. Please use EVAL.",
      }]);
      assert.deepEqual(await redis.scriptExists(sha), [0]);
      assert.equal(await redis.scriptLoad(script), sha);
      assert.deepEqual(await redis.scriptExists(sha, "0".repeat(40), sha.toUpperCase()), [1, 0, 1]);
      assert.deepEqual(await redis.evalsha(sha, ["k"], ["v"]), ["k", "v"]);
      assert.deepEqual(await redis.evalsha(sha.toUpperCase(), ["k"], ["v"]), ["k", "v"]);
      const other = `${script} `;
      await redis.eval(other, ["k"], []);
      assert.deepEqual(await redis.evalsha(await sha1(other), ["k"], ["w"]), ["k", "w"]);
      if (shebang === "") assert.deepEqual(await redis.evalshaRo(sha, ["k"], ["v"]), ["k", "v"]);
    }
    assert.match((await anyRejection(redis.scriptLoad("return ("))).message, /^ERR Error compiling script/);
    assert.deepEqual(await redis.scriptExists(await sha1("return (")), [0]);
  },
);

serverTest("scripts: SCRIPT FLUSH forgets them on this server only", async ({ redis, key }) => {
  await using other = await startUpstashServer({ redisUrl: SERVER_REDIS });
  const script = `return '${key("a")}'`;
  const sha = await redis.scriptLoad(script);
  const elsewhere = clientOf(other.url, other.token);
  assert.match((await anyRejection(elsewhere.evalsha(sha, [], []))).message, /^NOSCRIPT/);
  await elsewhere.scriptLoad(script);
  assert.equal(await redis.scriptFlush(), "OK");
  assert.match((await anyRejection(redis.evalsha(sha, [], []))).message, /^NOSCRIPT/);
  assert.equal(await elsewhere.evalsha(sha, [], []), key("a"));
});

Deno.test("Upstash, scripts: the server does not know scripts that Redis has lost", async () => {
  await using own = await startRedis();
  await using server = await startUpstashServer({ redisUrl: own.url });
  using behind = await Redis.connect(own.url);
  const redis = clientOf(server.url, server.token);
  const sha = await redis.scriptLoad("return 1");
  await behind.ask("SCRIPT", "FLUSH");
  assert.match((await anyRejection(redis.evalsha(sha, [], []))).message, /^NOSCRIPT/);
  assert.deepEqual(await redis.scriptExists(sha), [0]);
  assert.equal(await redis.eval("return 1", [], []), 1);
  assert.equal(await redis.evalsha(sha, [], []), 1);
});

serverTest("scripts: in a transaction and in a pipeline they run as alone", async ({ send, key }) => {
  const commands = [
    ["EVAL", `${LOCKING}return redis.call('INCR', KEYS[1])`, 1, key("a")],
    ["EVAL", `${LOCKING}return redis.call('INCR', ARGV[1])`, 1, key("a"), key("b")],
    ["EVALSHA", "0".repeat(40), 0],
    ["INCR", key("a")],
  ];
  for (const [index, path] of ["/multi-exec", "/pipeline"].entries()) {
    const { status, body } = await send(commands, { path });
    const [first, last] = [2 * index + 1, 2 * index + 2];
    const noScript = "NOSCRIPT No matching script. Please use EVAL.";
    assert.deepEqual([status, body], [200, [{ result: first }, { error: dynamic(key("b")) }, { error: noScript }, {
      result: last,
    }]]);
  }
});

serverTest(
  "scripts: their calls are counted, and billed with them, even when they fail",
  async ({ server, redis, send, key }) => {
    const script = `for i = 1, 5 do redis.call('INCR', KEYS[1]) end return redis.call('GET', KEYS[1])`;
    assert.equal(await redis.eval(script, [key("a")], []), 5);
    assert.deepEqual(pick(server.commands), { sent: 1, called: 6, billed: 7 });
    await redis.evalsha(await sha1(script), [key("a")], []);
    assert.deepEqual(pick(server.commands), { sent: 2, called: 12, billed: 14 });
    await anyRejection(redis.eval("redis.call('SET', KEYS[1], 'x') redis.call('INCR', KEYS[1])", [key("a")], []));
    assert.deepEqual(pick(server.commands), { sent: 3, called: 14, billed: 17 });
    await redis.ping();
    await send([["GET", key("a")], ["PING"], ["EVAL", "return redis.pcall('GET', KEYS[1])", 1, key("a")]], {
      path: "/multi-exec",
    });
    assert.deepEqual(pick(server.commands), { sent: 7, called: 15, billed: 20 });
  },
);

function pick({ sent, called, billed }: { sent: number; called: number; billed: number }) {
  return { sent, called, billed };
}
