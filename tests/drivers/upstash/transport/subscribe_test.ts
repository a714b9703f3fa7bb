import assert from "node:assert/strict";
import { delay, systemClock } from "../../../../core/time/clock.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import { UPSTASH_ANSWERS } from "../server/mod.ts";
import { until } from "../../../support/patience.ts";
import { rejection, transportTest } from "../support/setting.ts";

const never = new AbortController().signal;

for (const way of ["a url and a token", "a client of the user's"]) {
  transportTest(
    `a subscription hears what is published until it is closed: ${way}`,
    async ({ open, channel, publish, server, client }) => {
      const { subscribe } = open(way === "a url and a token" ? {} : { redis: client() });
      const heard: string[] = [];
      const subscription = await subscribe(channel, (payload) => heard.push(payload), never);
      const payloads = [
        `["inbox:a, b","due"]`,
        "[]",
        `["inbox:\u{1F600}\\n\\u0000"]`,
        `[${`"inbox:${"x".repeat(250)}",`.repeat(1_000)}"due"]`,
        "*",
        ",",
      ];
      for (const payload of payloads) await publish(payload);
      await until(() => heard.length === payloads.length);
      const asText = (payload: string) => payload.startsWith("[") ? JSON.stringify(JSON.parse(payload)) : payload;
      assert.deepEqual(heard.map(asText), payloads.map(asText));
      assert.equal(server.requests.subscribe, 1);
      await subscription.close();
      await until(() => server.subscriptions.open === 0);
      await publish("too late");
      assert.equal(heard.length, payloads.length);
    },
  );

  transportTest(`a subscription that is not confirmed rejects, and leaves nothing behind: ${way}`, async (setting) => {
    const { open, channel, server, relay, client, timers } = setting;
    const own = way === "a url and a token";
    const { subscribe } = open(own ? { timeoutMs: 200 } : { timeoutMs: 200, redis: client({ retry: { retries: 0 } }) });
    const shown = async (stop = never) => (await rejection(subscribe(channel, () => {}, stop))).message;
    const [unauthorized, gateway, ended] = own
      ? ["WRONGPASS", "HTTP_502", "ENDED"]
      : ["WRONGPASS", "UpstashJSONParseError", "TIMEOUT"];
    server.fault({ answer: () => Response.json({ error: "WRONGPASS invalid" }, { status: 401 }) });
    assert.match(await shown(), new RegExp(unauthorized!));
    server.fault({ answer: UPSTASH_ANSWERS.badGateway });
    assert.match(await shown(), new RegExp(gateway!));
    server.fault({ answer: () => new Response("") });
    assert.match(await shown(), new RegExp(ended!));
    server.fault({ answer: () => new Response("<h1>Welcome</h1>") });
    assert.match(await shown(), new RegExp(ended!));
    for (const at of ["before", "after", "body"] as const) {
      relay.fault({ at, action: { kind: "blackHole" } });
      assert.match(await shown(), /TIMEOUT: no answer within 200 ms/);
    }
    const [stop, fault] = [new AbortController(), relay.fault({ at: "before", action: { kind: "blackHole" } })];
    const stopped = shown(stop.signal);
    await fault.met;
    stop.abort();
    assert.match(await stopped, /ABORTED/);
    assert.match(await shown(stop.signal), /ABORTED/);
    assert.equal(timers(), 0);
    await relay.cut();
  });
}

transportTest(
  "a subscription does not follow a redirect, which would take the token elsewhere",
  async ({ open, channel, server }) => {
    server.fault({
      answer: () => new Response(null, { status: 307, headers: { Location: `${server.url}/subscribe/${channel}` } }),
    });
    assert.match((await rejection(open().subscribe(channel, () => {}, never))).message, /\(HTTP_307\)$/);
    assert.equal(server.requests.subscribe, 1);
  },
);

transportTest(
  "a stream is closed if it is given up or its request is refused",
  async ({ open, channel, server }) => {
    const closed: string[] = [];
    const endless = (name: string) => new ReadableStream({ cancel: () => void closed.push(name) });
    server.fault({ answer: () => new Response(endless("silent")) });
    server.fault({ answer: () => new Response(endless("refused"), { status: 502 }) });
    for (let n = 0; n < 2; n++) await rejection(open({ timeoutMs: 100 }).subscribe(channel, () => {}, never));
    await until(() => closed.length === 2);
  },
);

for (const trouble of ["ends", "is cut", "is reset"] as const) {
  transportTest(`a subscription that ${trouble} is lost at once`, async ({ open, channel, server, relay }) => {
    const subscription = await open().subscribe(channel, () => {}, never);
    assert.equal(subscription.lost.aborted, false);
    if (trouble === "ends") server.endSubscriptions();
    else await relay.cut(trouble === "is cut" ? "fin" : "reset");
    await until(() => subscription.lost.aborted);
    await subscription.close();
  });
}

transportTest(
  "a listener that throws ends the subscription, and nothing else",
  async ({ open, channel, publish, server }) => {
    const subscription = await open().subscribe(channel, () => {
      throw new Error("thrown by the listener");
    }, never);
    await publish("[]");
    await until(() => subscription.lost.aborted && server.subscriptions.open === 0);
    await subscription.close();
  },
);

Deno.test("a message arrives after comments and across chunks, with any line ends", async () => {
  const lines = [
    "\xef\xbb\xbf: ping\r\n\r\n",
    "data: subscr",
    "ibe,c,1\r\n\r",
    "\n",
    "event: message\r\ndata:message,c,",
    "\xc3",
    "\xa9,\xe2\x82",
    "\xac,",
    "\xef\xbb\xbf\r\n\r\nretry: x\nunknown\n\xff\xfe\n\ndata: message,c,2\r\r",
  ];
  const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  // As the lines are cut above, and byte by byte.
  for (const chunks of [lines, Array.from(lines.join(""))]) {
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          for (const chunk of chunks) {
            await delay(systemClock, 2);
            controller.enqueue(latin1(chunk));
          }
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    });
    const { subscribe } = openTransport({ url: `http://127.0.0.1:${server.addr.port}`, token: "t" }, {
      timeoutMs: 5_000,
      clock: systemClock,
    });
    const heard: string[] = [];
    const subscription = await subscribe("c", (payload) => heard.push(payload), never);
    await until(() => heard.length > 1);
    assert.deepEqual(heard, ["\u00e9,\u20ac,\u{FEFF}", "2"]);
    await subscription.close();
  }
});
