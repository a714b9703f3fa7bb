import assert from "node:assert/strict";
import { systemClock } from "../../../../core/time/clock.ts";
import { ValidationError } from "../../../../core/errors.ts";
import { isNoScript } from "../../../../drivers/upstash/transport/failure.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import { until } from "../../../support/patience.ts";
import { startRelay } from "../../../support/relay.ts";
import { rejection, type TransportOpenOptions, type TransportSetting, transportTest } from "../support/setting.ts";

const CALL = "Upstash: test";

/** Both ways to pass a database. */
const WAYS: Record<string, (setting: TransportSetting) => TransportOpenOptions> = {
  "a url and a token": () => ({}),
  "a client of the user's": ({ client }) => ({ redis: client() }),
};

for (const [way, options] of Object.entries(WAYS)) {
  transportTest(`each command is one request, even if there are many at once: ${way}`, async (setting) => {
    const { open, server, key } = setting;
    const { send } = open(options(setting));
    const results = await Promise.all(Array.from({ length: 20 }, () => send(["INCR", key("n")], CALL)));
    assert.deepEqual(results.toSorted((a, b) => Number(a) - Number(b)), Array.from({ length: 20 }, (_, n) => n + 1));
    assert.deepEqual([server.requests.total, server.requests.command], [20, 20]);
  });

  transportTest(`results are those of Redis: ${way}`, async (setting) => {
    const { send } = setting.open(options(setting));
    const script =
      `return {1, "=2", {"=three", {"=four"}}, false, redis.status_reply("=OK"), "=", "=null", "=[1]", "=\u{1F600}\\0\\r\\n"}`;
    const expected = [1, "=2", ["=three", ["=four"]], null, "=OK", "=", "=null", "=[1]", "=\u{1F600}\0\r\n"];
    assert.deepEqual(await send(["EVAL", script, "0"], CALL), expected);
    assert.equal(await send(["EVAL", "return false", "0"], CALL), null);
    assert.deepEqual(await send(["EVAL", "return {}", "0"], CALL), []);
    assert.equal(await send(["EVAL", "return #ARGV[1]", "0", "\u00e9\u2028\0"], CALL), 6);
  });

  transportTest(`isNoScript() detects an unknown script only: ${way}`, async (setting) => {
    const { send } = setting.open(options(setting));
    const unknown = await rejection(send(["EVALSHA", "0".repeat(40), "0"], CALL));
    assert.deepEqual([isNoScript(unknown), unknown.retryable, unknown.message], [
      true,
      false,
      `${CALL} failed (NOSCRIPT)`,
    ]);
    setting.server.fault({
      answer: () => Response.json({ error: "ERR NOSCRIPT No matching script" }, { status: 400 }),
    });
    assert(isNoScript(await rejection(send(["EVALSHA", "0".repeat(40), "0"], CALL))));
    const wrong = await rejection(send(["EVAL", "return redis.call('NONE')", "0"], CALL));
    assert.deepEqual([isNoScript(wrong), wrong.retryable], [false, false]);
    assert.equal(isNoScript(new Error("NOSCRIPT No matching script.")), false);
  });

  transportTest(
    `a swallowed request ends at its time limit, at whichever point it is swallowed: ${way}`,
    async (setting) => {
      for (const at of ["connect", "before", "after", "body"] as const) {
        await using relay = await startRelay({ target: setting.server }); // A relay without a connection so far.
        const redis = way === "a url and a token"
          ? { url: relay.through(setting.server.url), token: setting.server.token }
          : setting.client({ retry: { retries: 0 } });
        const { send } = setting.open({ redis, timeoutMs: 200 });
        (way === "a url and a token" ? relay : setting.relay).fault({ at, action: { kind: "blackHole" } });
        const began = performance.now();
        const error = await rejection(send(["GET", setting.key("k")], CALL));
        const took = performance.now() - began;
        assert.equal(error.message, `${CALL} failed (TIMEOUT: no answer within 200 ms, outcome unknown)`);
        assert(error.retryable && took >= 195 && took < 2_000, `${took} ms`);
        if (way !== "a url and a token") break; // The client repeats by itself, and would meet the next fault.
      }
      await setting.relay.cut();
    },
  );
}

for (const at of ["before", "after", "head", "body"] as const) {
  transportTest(
    `a connection that is cut ${at} the answer: sent once, outcome unknown`,
    async ({ open, relay, server, key }) => {
      const { send } = open();
      await send(["SET", key("n"), "0"], CALL);
      for (const ending of ["fin", "reset"] as const) {
        const before = [relay.requests, server.requests.total];
        relay.fault({ at, action: { kind: "cut", ending } });
        const error = await rejection(send(["INCR", key("n")], CALL));
        assert.deepEqual([error.message, error.retryable], [`${CALL} failed (NO_ANSWER: outcome unknown)`, true]);
        assert.deepEqual([relay.requests - before[0]!, server.requests.total - before[1]!], [
          1,
          at === "before" ? 0 : 1,
        ]);
      }
      assert.equal(await send(["GET", key("n")], CALL), at === "before" ? "0" : "2");
    },
  );
}

transportTest(
  "a command is a POST of JSON with the token, without a sync token or an encoding",
  async ({ open, server, key }) => {
    const seen: Headers[] = [];
    using _observer = server.observe(({ headers, route }) => route === "command" && seen.push(headers));
    const { send } = open();
    await send(["SET", key("k"), "1"], CALL);
    await send(["GET", key("k")], CALL);
    for (const headers of seen) {
      assert.equal(headers.get("Authorization"), `Bearer ${server.token}`);
      assert.equal(headers.get("Content-Type"), "application/json");
      for (const name of ["Upstash-Sync-Token", "Upstash-Encoding", "Upstash-Telemetry-Sdk"]) {
        assert.equal(
          headers.get(name),
          null,
        );
      }
    }
    assert.equal(seen.length, 2);
  },
);

transportTest("a signal gives a request up, and leaves nothing behind", async ({ open, relay, timers }) => {
  const { send } = open();
  const stop = new AbortController();
  const fault = relay.fault({ at: "before", action: { kind: "blackHole" } });
  const sent = rejection(send(["PING"], CALL, stop.signal));
  await fault.met;
  stop.abort();
  assert.equal((await sent).message, `${CALL} failed (ABORTED)`);
  assert.equal((await rejection(send(["PING"], CALL, stop.signal))).message, `${CALL} failed (ABORTED)`);
  assert.equal(timers(), 0);
});

transportTest("a request that is given up is closed", async ({ open, server }) => {
  let closed = 0;
  const stop = new AbortController();
  server.fault({ answer: () => new Response(new ReadableStream({ cancel: () => void (closed += 1) })), times: 2 });
  await rejection(open({ timeoutMs: 100 }).send(["PING"], CALL));
  await until(() => closed === 1);
  const sent = rejection(open().send(["PING"], CALL, stop.signal));
  setTimeout(() => stop.abort(), 50);
  await sent;
  await until(() => closed === 2);
});

transportTest("requests leave no listener behind at their signal", async ({ open }) => {
  const { signal } = new AbortController();
  let listeners = 0;
  for (const [name, step] of [["addEventListener", 1], ["removeEventListener", -1]] as const) {
    const original = signal[name].bind(signal) as (...args: unknown[]) => void;
    signal[name] = (...args: unknown[]) => (listeners += step, original(...args));
  }
  const { send } = open();
  await send(["PING"], CALL, signal);
  await rejection(send(["NONE"], CALL, signal));
  assert.equal(listeners, 0);
});

transportTest("a path in the url is kept, and slashes at its end do not matter", async ({ server, relay }) => {
  const lines: string[] = [];
  relay.fault({
    at: "before",
    action: { kind: "delay", until: 0 },
    times: Infinity,
    matches: ({ firstLine }) => lines.push(firstLine) > 0,
  });
  for (const end of ["", "/", "//", "/redis", "/redis/"]) {
    const { send } = openTransport({ url: relay.through(server.url).replace(/\/$/, end), token: server.token }, {
      timeoutMs: 5_000,
      clock: systemClock,
    });
    await send(["PING"], CALL).catch(() => {});
  }
  assert.deepEqual(lines.map((line) => line.split(" ")[1]), ["/", "/", "/", "/redis", "/redis"]);
});

Deno.test("openTransport() refuses an invalid URL or token, and shows neither", () => {
  const secret = "hunter2";
  const good = { url: "https://a.upstash.io", token: "t" };
  const wrong: unknown[] = [
    undefined,
    null,
    secret,
    {},
    { ...good, url: undefined },
    { ...good, token: undefined },
    { ...good, token: "" },
    { ...good, token: `${secret}\n` },
    { ...good, token: `${secret} x` },
    { ...good, token: `${secret}\u00e9` },
    ...[
      "",
      secret,
      `redis://default:${secret}@a.upstash.io:6379`,
      `https://u:${secret}@a.upstash.io`,
      `https://a.upstash.io?_token=${secret}`,
    ]
      .map((url) => ({ ...good, url })),
    { ...good, url: `${secret}.upstash.io` },
    { ...good, url: `https://a.upstash.io/#${secret}` },
  ];
  for (const redis of wrong) {
    assert.throws(() => openTransport(redis as typeof good, { timeoutMs: 1, clock: systemClock }), (error) => {
      assert(error instanceof ValidationError, Deno.inspect(error));
      assert(!Deno.inspect(error, { depth: 10 }).includes(secret));
      return true;
    });
  }
  openTransport({ ...good, url: "http://127.0.0.1:8079" }, { timeoutMs: 1, clock: systemClock });
});

Deno.test("a call to an absent server rejects, and is retryable", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { send } = openTransport({ url: `http://127.0.0.1:${port}`, token: "t" }, {
    timeoutMs: 5_000,
    clock: systemClock,
  });
  const error = await rejection(send(["PING"], CALL));
  assert.deepEqual([error.retryable, error.message], [true, `${CALL} failed (NO_ANSWER: outcome unknown)`]);
});
