import assert from "node:assert/strict";
import { anyRejection, serverTest } from "./setup.ts";

serverTest("POST /: one command, with strings, numbers and booleans as text", async ({ send, key, server }) => {
  const { status, body, headers } = await send([
    "RPUSH",
    key("a"),
    "text",
    1.50,
    true,
    12345678901234567890n.toString(),
  ]);
  assert.deepEqual([status, body, headers.get("Content-Type")], [
    200,
    { result: 4 },
    "application/json; charset=utf-8",
  ]);
  // Numbers stay as they are written: JavaScript would turn these into 1.5 and 12345678901234567000.
  await send(`["RPUSH","${key("a")}",1.50,12345678901234567890]`);
  const { body: { result } } = await send(["LRANGE", key("a"), 0, -1]);
  assert.deepEqual(result, ["text", "1.5", "true", "12345678901234567890", "1.50", "12345678901234567890"]);
  assert.deepEqual([server.requests.command, server.requests.total, server.commands.sent], [3, 3, 3]);
});

serverTest(
  "path: segments are decoded, a body goes before the parameters, which are pairs",
  async ({ send, key, fetch, server }) => {
    const [a, b] = [key("a"), key("b")];
    const path = (...segments: string[]) => `/${segments.map(encodeURIComponent).join("/")}`;
    assert.deepEqual((await send(undefined, { path: path("set", a, "x/y z?"), method: "GET" })).body, { result: "OK" });
    assert.deepEqual((await send(undefined, { path: path("GET", a), method: "GET" })).body, { result: "x/y z?" });
    assert.deepEqual(
      (await send("body", { path: `${path("set", b)}?EX=100&_token=${server.token}`, token: "" })).body,
      { result: "OK" },
    );
    const { body: { result: seconds } } = await send(undefined, { path: path("ttl", b) });
    assert(seconds > 90 && seconds <= 100, `${seconds}`);
    assert.equal((await send("put", { path: path("set", b), method: "PUT" })).status, 200);
    assert.deepEqual((await send(undefined, { path: path("get", b) })).body, { result: "put" });
    const head = await fetch(undefined, { path: path("set", b, "head"), method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    assert.deepEqual((await send(undefined, { path: path("get", b) })).body, { result: "head" });
    assert.equal(server.requests.path, 8);
  },
);

serverTest("path: a body and a segment can be any bytes", async ({ send, fetch, key }) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  await send(bytes, { path: `/set/${key("a")}` });
  const raw = await fetch(["GET", key("a")], { headers: { "Upstash-Response-Format": "resp2" } });
  assert.deepEqual((await raw.bytes()).slice("$256\r\n".length, -2), bytes);
  assert.deepEqual((await send(undefined, { path: `/append/${key("b")}/%ff%2F` })).body, { result: 2 });
});

serverTest(
  "/pipeline: results and errors are in order, and other commands may run in between",
  async ({ send, key, redis, server }) => {
    const { status, body } = await send([["SET", key("a"), "1"], ["LPUSH", key("a"), "x"], ["NONE"], [
      "INCR",
      key("a"),
    ]], {
      path: "/pipeline",
    });
    assert.equal(status, 200);
    assert.deepEqual(body.slice(0, 2), [{ result: "OK" }, {
      error: "WRONGTYPE Operation against a key holding the wrong kind of value",
    }]);
    assert.match(body[2].error, /^ERR Command is not available: 'NONE'/);
    assert.deepEqual(body[3], { result: 2 });
    assert.deepEqual([server.requests.pipeline, server.commands.sent, server.commands.billed], [1, 4, 4]);

    const long = redis.pipeline();
    for (let index = 0; index < 2_000; index++) long.incr(key("b"));
    const running = long.exec();
    let seen = 0;
    while (seen === 0) seen = await redis.get<number>(key("b")) ?? 0;
    assert(seen < 2_000, "no other command ran in between");
    await running;
  },
);

serverTest("/multi-exec: no command runs in between, and a failure undoes nothing", async ({ redis, send, key }) => {
  const { status, body } = await send([["SET", key("a"), "1"], ["LPUSH", key("a"), "x"], ["INCR", key("a")]], {
    path: "/multi-exec",
  });
  const wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
  assert.deepEqual([status, body], [200, [{ result: "OK" }, { error: wrong }, { result: 2 }]]);
  const transaction = redis.multi();
  for (let index = 0; index < 100; index++) transaction.incr(key("b"));
  const others = Array.from({ length: 50 }, () => redis.incr(key("b")));
  const counts = await transaction.exec<number[]>();
  await Promise.all(others);
  assert.equal(counts.at(-1)! - counts[0]!, 99);
});

serverTest("/multi-exec: one refused command discards all", async ({ send, key }) => {
  const set = ["SET", key("a"), "1"];
  const refused: [unknown[], RegExp][] = [
    [["BLPOP", key("a"), 1], /^ERR Command "BLPOP" is not allowed in REST or it has a special context path$/],
    [["NONE"], /^ERR Command is not available: 'NONE'/],
    [["GET"], /^ERR wrong number of arguments for 'get' command$/],
  ];
  for (const [command, text] of refused) {
    const { status, body } = await send([set, command], { path: "/multi-exec" });
    assert.equal(status, 400);
    assert.match(body.error, text);
  }
  assert.deepEqual((await send(["EXISTS", key("a")])).body, { result: 0 });
});

serverTest(
  "a failed command has status 400 and Redis's text, which the client adds the command to",
  async ({ send, redis, key }) => {
    const { status, body } = await send(["GET"]);
    assert.deepEqual([status, body], [400, { error: "ERR wrong number of arguments for 'get' command" }]);
    await redis.set(key("a"), "x");
    const error = await anyRejection(redis.incr(key("a")));
    assert.equal(error.name, "UpstashError");
    assert.equal(error.message, `ERR value is not an integer or out of range, command was: ["incr","${key("a")}"]`);
  },
);

serverTest(
  "invalid arguments and bodies are refused before anything is carried out",
  async ({ send, key, server }) => {
    const refused: [body: unknown, error: string, path?: string][] = [
      [["SET", key("a"), null], "ERR null args are not supported"],
      [["SET", key("a"), [1]], 'ERR unsupported arg type: "[": json.Delim'],
      [["SET", key("a"), { b: 1 }], 'ERR unsupported arg type: "{": json.Delim'],
      ["", "EOF"],
      ['{"a":1}', "expected JSON array"],
      ["[]", "ERR empty command"],
      [[["SET", key("a"), "1"], ["SET", key("a"), null]], "ERR null args are not supported", "/pipeline"],
      [["SET", key("a"), "1"], "expected JSON array", "/multi-exec"],
    ];
    for (const [body, error, path = "/"] of refused) {
      const answer = await send(body, { path });
      assert.deepEqual([answer.status, answer.body], [400, { error }]);
    }
    assert.equal((await send("[1")).status, 400);
    assert.equal(server.commands.sent, 0);
  },
);

serverTest(
  "commands that wait, that need a connection or that Upstash does not have are refused",
  async ({ send, key }) => {
    for (
      const command of [["BLPOP", "a", 1], ["MULTI"], ["WATCH", "a"], ["SUBSCRIBE", "a"], ["AUTH", "a"], ["SELECT", 0]]
    ) {
      const { status, body } = await send(command);
      assert.deepEqual([status, body.error], [
        400,
        `ERR Command "${command[0]}" is not allowed in REST or it has a special context path`,
      ]);
    }
    for (
      const command of [["XREAD", "BLOCK", 1, "STREAMS", "a", "$"], [
        "XREADGROUP",
        "GROUP",
        "g",
        "c",
        "block",
        1,
        "STREAMS",
        "a",
        ">",
      ]]
    ) {
      assert.match((await send(command)).body.error, /is not allowed in REST/);
    }
    assert.deepEqual((await send(["XREAD", "STREAMS", key("a"), "BLOCK", "0", "0"])).body, { result: null }); // Two keys.
    for (const name of ["OBJECT", "SORT", "cluster", "NO-SUCH"]) {
      const see = "See https://upstash.com/docs/redis/overall/rediscompatibility for details";
      assert.deepEqual((await send([name, "a"])).body, { error: `ERR Command is not available: '${name}'. ${see}` });
    }
    assert.deepEqual((await send(["COMMAND"])).body, { result: [] });
    assert.deepEqual((await send(["CONFIG", "GET", "maxmemory"])).body, { result: [] });
    assert.equal((await send(["CONFIG", "SET", "maxmemory", "1"])).status, 400);
    assert.deepEqual([(await send(["PING"])).body, (await send(["ECHO", "a"])).body], [{ result: "PONG" }, {
      result: "a",
    }]);
  },
);

serverTest(
  "a token is needed: in the header with Bearer or bare, or as a parameter, which wins",
  async ({ send, server }) => {
    const error =
      "WRONGPASS invalid or missing auth token. See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details.";
    for (const token of ["", "wrong"]) {
      const { status, body } = await send(["PING"], { token });
      assert.deepEqual([status, body], [401, { error }]);
    }
    assert.equal((await send(["PING"], { token: "", headers: { Authorization: server.token } })).status, 200);
    assert.equal((await send(["PING"], { token: "", path: `/?_token=${server.token}` })).status, 200);
    assert.equal((await send(["PING"], { token: "wrong", path: `/?_token=${server.token}` })).status, 200);
    assert.equal((await send(["PING"], { path: "/?_token=wrong" })).status, 401);
    assert.equal(server.commands.sent, 3);
  },
);

serverTest("the read-only token reads, and does nothing else", async ({ send, key, server }) => {
  const token = server.readOnlyToken;
  await send(["SET", key("a"), "1"]);
  assert.deepEqual((await send(["GET", key("a")], { token })).body, { result: "1" });
  for (
    const command of [["SET", key("a"), "2"], ["SCAN", 0], ["KEYS", "*"], ["EVAL", "return 1", 0], [
      "PUBLISH",
      key("a"),
      "x",
    ]]
  ) {
    const error = `NOPERM this user has no permissions to run the '${
      String(command[0]).toLowerCase()
    }' command or its subcommand`;
    const { status, body } = await send(command, { token });
    assert.deepEqual([status, body], [400, { error }]);
  }
  const accept = { Accept: "text/event-stream" };
  assert.match(
    (await send(undefined, { token, path: `/subscribe/${key("a")}`, headers: accept })).body.error,
    /^NOPERM/,
  );
  assert.deepEqual((await send(["GET", key("a")])).body, { result: "1" });
});

serverTest("other methods are refused, and OPTIONS allows browsers", async ({ fetch }) => {
  for (const method of ["DELETE", "PATCH"]) {
    const response = await fetch(undefined, { method });
    assert.deepEqual([response.status, await response.text()], [405, ""]);
  }
  const response = await fetch(undefined, { method: "OPTIONS", token: "", headers: { Origin: "https://app.example" } });
  assert.deepEqual([response.status, await response.text()], [200, ""]);
  assert.equal(response.headers.get("Access-Control-Allow-Origin"), "https://app.example");
});

serverTest(
  "a request of any kind that is too long is refused, and the next one is not",
  async ({ send, key, server }) => {
    const value = "x".repeat(1_000);
    assert.deepEqual((await send(["SET", key("a"), value.slice(100)])).body, { result: "OK" });
    for (
      const [body, path] of [[["SET", key("a"), value], "/"], [value.repeat(2), `/set/${key("a")}`], [
        [["SET", key("a"), value]],
        "/pipeline",
      ]]
    ) {
      const answer = await send(body, { path: String(path) });
      assert.deepEqual([answer.status, answer.body], [413, { error: "ERR max request size exceeded" }]);
    }
    const unannounced = new Blob([JSON.stringify(["SET", key("a"), value])]).stream();
    const response = await fetch(`${server.url}/?_token=${server.token}`, { method: "POST", body: unannounced });
    assert.deepEqual([response.status, await response.json()], [413, { error: "ERR max request size exceeded" }]);
    assert.deepEqual((await send(["STRLEN", key("a")])).body, { result: 900 });
    assert.equal(server.commands.sent, 2);
  },
  { maxRequestBytes: 1_000 },
);

serverTest("a request and an answer of 10 MB pass", async ({ redis, key }) => {
  const value = "é".repeat(5_000_000);
  await redis.set(key("a"), value);
  assert.equal(await redis.get(key("a")) === value, true);
  assert.match((await anyRejection(redis.set(key("a"), value + value))).message, /^ERR max request size exceeded/);
});
