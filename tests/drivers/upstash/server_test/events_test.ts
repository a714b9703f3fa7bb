import assert from "node:assert/strict";
import { Redis } from "../server/redis.ts";
import { SERVER_REDIS, type ServerSetting, serverTest } from "./setup.ts";

const ACCEPT = { Accept: "text/event-stream" };

/** An event stream, frame by frame. */
class Frames implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(response: Response) {
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("Content-Type"), "text/event-stream");
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next frame, or undefined at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#rest.includes("\n\n")) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n\n");
    const frame = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 2);
    return frame;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}

async function listen({ fetch }: ServerSetting, path: string): Promise<Frames> {
  return new Frames(await fetch(undefined, { path, headers: ACCEPT }));
}

/** Waits until nobody listens any more, neither at the server nor at Redis. */
async function closed({ server }: ServerSetting, channel: string): Promise<void> {
  using redis = await Redis.connect(SERVER_REDIS);
  while (
    server.subscriptions.open > 0 || JSON.stringify(await redis.ask("PUBSUB", "NUMSUB", channel)) !== `["${channel}",0]`
  ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

serverTest("subscribe: frames for the subscription and each message, of one channel, as they are", async (setting) => {
  const { send, key, server } = setting;
  await using frames = await listen(setting, `/subscribe/${key("a")}`);
  assert.equal(await frames.next(), `data: subscribe,${key("a")},1`);
  assert.deepEqual((await send(["PUBLISH", key("b"), "other"])).body, { result: 0 });
  for (const payload of ['{"a":1}', "with, comma", "", "é"]) {
    assert.deepEqual((await send(["PUBLISH", key("a"), payload])).body, { result: 1 });
    assert.equal(await frames.next(), `data: message,${key("a")},${payload}`);
  }
  await send(["PUBLISH", key("a"), "two\nlines"]);
  assert.equal(await frames.next(), `data: message,${key("a")},two\nlines`);
  assert.deepEqual([server.requests.subscribe, server.subscriptions], [1, { opened: 1, open: 1 }]);
});

serverTest("psubscribe: frames with the pattern and the channel", async (setting) => {
  const { send, key, server } = setting;
  await using frames = await listen(setting, `/psubscribe/${key("*")}`);
  assert.equal(await frames.next(), `data: psubscribe,${key("*")},1`);
  await send(["PUBLISH", key("b"), "x"]);
  assert.equal(await frames.next(), `data: pmessage,${key("*")},${key("b")},x`);
  assert.equal(server.requests.psubscribe, 1);
});

serverTest("monitor: OK, then the commands that are carried out", async (setting) => {
  await using frames = await listen(setting, "/monitor");
  assert.equal(await frames.next(), 'data: "OK"');
  await setting.send(["GET", setting.key("a")]);
  let frame = await frames.next();
  while (!frame?.includes(setting.key("a"))) frame = await frames.next();
  assert.match(frame, /^data: \d+\.\d{6} \[\d+ \S+:\d+\] "GET" "upstash:/);
});

serverTest("the subscription of a client ends when the client disconnects", async (setting) => {
  const { key, server, fetch } = setting;
  const frames = await listen(setting, `/subscribe/${key("a")}`);
  await frames.next();
  await frames[Symbol.asyncDispose]();
  await closed(setting, key("a"));
  const stop = new AbortController();
  const aborted = new Frames(
    await fetch(undefined, { path: `/subscribe/${key("a")}`, headers: ACCEPT, signal: stop.signal }),
  );
  await aborted.next();
  assert.deepEqual(server.subscriptions, { opened: 2, open: 1 });
  stop.abort();
  await closed(setting, key("a"));
  assert.deepEqual(server.subscriptions, { opened: 2, open: 0 });
});

serverTest("a stream that the server ends is complete, and a cut one fails", async (setting) => {
  const { key, server, relay } = setting;
  await using frames = await listen(setting, `/subscribe/${key("a")}`);
  await frames.next();
  server.endSubscriptions();
  assert.equal(await frames.next(), undefined);
  await closed(setting, key("a"));

  const url = `${relay.through(server.url)}subscribe/${key("a")}?_token=${server.token}`;
  await using cut = new Frames(await fetch(url, { method: "POST", headers: ACCEPT }));
  await cut.next();
  await relay.cut("reset");
  await assert.rejects(cut.next());
  await closed(setting, key("a"));
});

serverTest("without Accept, with no channel or with two there is no stream", async ({ send, key, server }) => {
  const { status, body } = await send(undefined, { path: `/subscribe/${key("a")}` });
  assert.deepEqual([status, body], [400, {
    error: 'ERR Command "SUBSCRIBE" is not allowed in REST or it has a special context path',
  }]);
  for (const path of ["/subscribe", "/subscribe/", `/subscribe/${key("a")}/${key("b")}`]) {
    assert.match(
      (await send(undefined, { path, headers: ACCEPT })).body.error,
      /^ERR wrong number of arguments for 'subscribe' command/,
    );
  }
  assert.equal((await send(undefined, { path: "/monitor", headers: ACCEPT, token: "wrong" })).status, 401);
  assert.deepEqual(server.subscriptions, { opened: 0, open: 0 });
});

serverTest("the client gets messages of a channel and of a pattern, and can leave", async (setting) => {
  const { redis, key, server } = setting;
  const subscriptions = [redis.subscribe<{ n: number }>(key("a")), redis.psubscribe<{ n: number }>(key("*"))];
  const received: unknown[] = [];
  const both = Promise.withResolvers<void>();
  const note = (kind: string, message: unknown) => {
    received.push([kind, message]);
    if (received.length === 2) both.resolve();
  };
  const subscribed = subscriptions.map((it, index) =>
    new Promise<void>((resolve) => it.on(index === 0 ? "subscribe" : "psubscribe", () => resolve()))
  );
  subscriptions[0]?.on("message", ({ message }) => note("message", message));
  subscriptions[1]?.on("pmessage", ({ message }) => note("pmessage", message));
  await Promise.all(subscribed);
  await redis.publish(key("a"), { n: 1 });
  await both.promise;
  assert.deepEqual(received.toSorted(), [["message", { n: 1 }], ["pmessage", { n: 1 }]]);
  assert.deepEqual(server.subscriptions, { opened: 2, open: 2 });
  await Promise.all(subscriptions.map((it) => it.unsubscribe()));
  await closed(setting, key("a"));
});
