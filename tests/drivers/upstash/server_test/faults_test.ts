import assert from "node:assert/strict";
import { startUpstashServer, UPSTASH_ANSWERS, type UpstashRequest } from "../server/mod.ts";
import { anyRejection, SERVER_REDIS, serverTest } from "./setup.ts";

serverTest(
  "faults: a fault before a command prevents it, a fault after it does not",
  async ({ server, redis, key }) => {
    for (const at of ["before", "after"] as const) {
      const fault = server.fault({ at, answer: UPSTASH_ANSWERS.internalError });
      assert.match((await anyRejection(redis.incr(key(at)))).message, /^internal server error/);
      assert.equal(fault.hits, 1);
      assert.equal(await redis.get(key(at)), at === "before" ? null : 1);
    }
  },
);

serverTest("faults: the client sees each as if from Upstash or a gateway", async ({ server, redis, send, key }) => {
  const statuses = {
    badGateway: 502,
    gatewayTimeout: 504,
    internalError: 500,
    requestTooLarge: 413,
    tooManyRequests: 429,
  };
  for (const [name, answer] of Object.entries(UPSTASH_ANSWERS)) {
    server.fault({ answer });
    const { name: kind, message } = await anyRejection(redis.get(key("a")));
    const isJson = answer().headers.get("Content-Type")?.startsWith("application/json");
    assert.equal(kind, isJson ? "UpstashError" : "UpstashJSONParseError", message);
    assert.equal(
      answer().status,
      { ...statuses, dailyLimit: 400, capacity: 400 }[name as keyof typeof UPSTASH_ANSWERS],
    );
  }
  assert.deepEqual((await send(["GET", key("a")])).body, { result: null });
});

serverTest(
  "faults: each is for matching requests, for a number of them, and can be removed",
  async ({ server, redis, key }) => {
    const matches = ({ commands }: UpstashRequest) => commands.some(([name]) => name?.toUpperCase() === "INCR");
    const fault = server.fault({ times: 2, matches, answer: UPSTASH_ANSWERS.badGateway });
    await redis.set(key("a"), 1);
    await anyRejection(redis.incr(key("a")));
    await anyRejection(redis.pipeline().get(key("a")).incr(key("a")).exec());
    assert.equal(await redis.incr(key("a")), 2);
    assert.equal(fault.hits, 2);
    const taken = server.fault({ answer: UPSTASH_ANSWERS.badGateway });
    taken[Symbol.dispose]();
    assert.equal(await redis.incr(key("a")), 3);
  },
);

serverTest(
  "faults: a slow one lets other requests pass, and subscriptions have faults too",
  async ({ server, redis, send, key }) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.fault({ answer: () => promise });
    const slow = redis.incr(key("a"));
    while (server.requests.total === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(await redis.incr(key("a")), 1);
    resolve(undefined);
    assert.equal(await slow, 2);
    server.fault({ matches: ({ route }) => route === "subscribe", answer: UPSTASH_ANSWERS.tooManyRequests });
    const { status } = await send(undefined, {
      path: `/subscribe/${key("a")}`,
      headers: { Accept: "text/event-stream" },
    });
    assert.deepEqual([status, server.subscriptions.opened], [429, 0]);
  },
);

serverTest(
  "requests are counted by kind, and observers get their content",
  async ({ server, redis, send, key }) => {
    const seen: unknown[] = [];
    using observer = server.observe(({ number, route, commands }) => seen.push([number, route, ...commands]));
    await redis.set(key("a"), 1);
    await redis.multi().incr(key("a")).exec();
    await send(undefined, { path: `/get/${key("a")}`, method: "GET" });
    await send(["GET"], { token: "wrong" });
    observer[Symbol.dispose]();
    await redis.pipeline().get(key("a")).exec();
    assert.deepEqual(seen, [
      [1, "command", ["set", key("a"), "1"]],
      [2, "multi-exec", ["incr", key("a")]],
      [3, "path", ["get", key("a")]],
    ]);
    const none = { subscribe: 0, psubscribe: 0, monitor: 0 };
    assert.deepEqual({ ...server.requests }, { total: 5, command: 2, path: 1, pipeline: 1, "multi-exec": 1, ...none });
  },
);

for (const ending of ["fin", "reset"] as const) {
  serverTest(
    `behind the relay: cut with ${ending}, a command was carried out, or was not, and the words are the same`,
    async (setting) => {
      const { relay, send, key, server } = setting;
      // A body that Deno cannot send twice.
      const incr = async (name: string) => {
        const body = new Blob([JSON.stringify(["INCR", key(name)])]);
        const response = await fetch(relay.through(server.url), {
          method: "POST",
          headers: { Authorization: `Bearer ${server.token}` },
          body,
        });
        return await response.json();
      };
      for (const at of ["before", "after", "body"] as const) {
        for (const connection of ["new", "used"]) {
          if (connection === "used") await incr("other");
          relay.fault({ at, action: { kind: "cut", ending } });
          await assert.rejects(incr(`${at} ${connection}`));
          const { result } = (await send(["GET", key(`${at} ${connection}`)])).body; // Without the relay.
          assert.equal(result, at === "before" ? null : "1", `${at}, on a ${connection} connection`);
        }
      }
    },
  );
}

serverTest(
  "Deno sends the client's texts a second time when the answer is lost, and the call succeeds",
  async ({ relay, redis, key }) => {
    await redis.get(key("a"));
    relay.fault({ at: "after", action: { kind: "cut" } });
    // If this is 1 or the call rejects, Deno has fixed it (denoland/deno#35610): see the same test
    // of Neon.
    assert.equal(await redis.incr(key("a")), 2);
  },
);

Deno.test("Upstash: a server that ends leaves nothing behind, even with open faults and streams", async () => {
  const server = await startUpstashServer({ redisUrl: SERVER_REDIS });
  const headers = { Authorization: `Bearer ${server.token}`, Accept: "text/event-stream" };
  const stream = await fetch(`${server.url}/subscribe/upstash:end`, { method: "POST", headers });
  server.fault({ answer: () => new Promise(() => {}) });
  const slow = fetch(`${server.url}/ping`, { headers }).then((it) => it.body?.cancel(), () => {});
  while (server.requests.path === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await server[Symbol.asyncDispose]();
  await stream.text().catch(() => {});
  await slow;
  assert.equal(server.subscriptions.open, 0);
});

Deno.test("Upstash: a server does not start without Redis, and the error has the address", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assert.rejects(startUpstashServer({ redisUrl: `redis://127.0.0.1:${port}` }), /ECONNREFUSED|refused/);
  const wrong = new URL(SERVER_REDIS);
  wrong.password = "wrong";
  await assert.rejects(startUpstashServer({ redisUrl: wrong.href }), /(WRONGPASS|ERR AUTH)/);
});
