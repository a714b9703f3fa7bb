import assert from "node:assert/strict";
import { Hono } from "hono";
import { timeout } from "hono/timeout";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { connect, type ConnectOptions, type Fetch } from "../../../http/client/client.ts";
import { noAnswer } from "../../../http/client/failure.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import { DriverError, type Duration, memoryDriver, Parley, workflow } from "../../../mod.ts";
import { fastClock } from "../support/fast_clock.ts";
import { listen } from "../support/service.ts";

/** The client's time goes by so much faster, so the outage lasts two of its minutes. */
const FACTOR = 100;
const OUTAGE_MS = 1_200;

const relay = workflow("relay", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<unknown>();
    if (value === "end") return "over";
    await Promise.all([ctx.writeStream("log", value), ctx.setEvent("state", value)]);
  }
});

/** The app's time is ours, so it is to wait as much shorter. */
function scaled(url: string): string {
  return url.replace(/wait=(\d+)ms/, (_, ms) => `wait=${Math.ceil(ms / FACTOR)}ms`);
}

/** A workflow `w` behind an app, and a client whose requests go wherever `route` says. */
async function make(options: Partial<ConnectOptions> & { route?: (direct: Fetch) => Fetch; maxWait?: Duration } = {}) {
  const { route = (direct) => direct, maxWait = "60s", ...rest } = options;
  const parley = new Parley({ driver: memoryDriver(), workflows: [relay], hotWait: 0 });
  const app = parleyHttp({ parley, auth: bearer("s3cret"), onError: () => {}, maxWait });
  const told: unknown[] = [];
  const direct: Fetch = async (url, init) => await app.request(scaled(url), init);
  const fetch = route(direct);
  const onError = (error: unknown) => void told.push(error);
  const client = connect({
    url: "http://parley.test",
    token: "s3cret",
    clock: fastClock(FACTOR),
    fetch,
    onError,
    ...rest,
  });
  await parley.start(relay, undefined, { workflowId: "w" });
  const send = async (...messages: unknown[]) => {
    await parley.sendAll(messages.map((message) => ({ destinationId: "w", message })));
    await parley.idle();
  };
  return { parley, app, client, direct, send, told };
}

/** The operation whose outage the client reports, or undefined for another report. */
function outageOf(error: unknown): string | undefined {
  return /Parley over HTTP: (.+) has failed 5 times in a row, and is being repeated$/.exec(String(error))?.[1];
}

Deno.test("connect() says why there was no answer, without the URL: refused, TLS, a closed connection", async () => {
  const onceOf = async (url: string) => {
    const client = connect({ url, token: "s3cret", clock: fastClock(20) });
    return await client.list().then(() => assert.fail("it did not reject"), (error) => error as DriverError);
  };
  using closing = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    for await (const connection of closing) connection.close();
  })().catch(() => {});
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  gone.close();
  await using plain = listen({ fetch: () => new Response() });
  const { port } = closing.addr;
  const cases: [url: string, message: RegExp][] = [
    [`${plain.url.replace("http:", "https:")}/secret-path`, /list got no answer: there is no TLS connection/],
    [`http://127.0.0.1:${gone.addr.port}/secret-path`, /list got no answer: the connection was refused/],
    [`https://127.0.0.1:${port}/secret-path`, /list got no answer: there is no TLS connection/],
    [`http://127.0.0.1:${port}/secret-path`, /list got no answer: the connection broke off/],
  ];
  for (const [url, message] of cases) {
    const error = await onceOf(url);

    assert(error instanceof DriverError);
    assert.match(error.message, message);
    assert.doesNotMatch(Deno.inspect(error), /secret|127\.0/);
  }
});

Deno.test("connect() reads the reasons of Deno, Node and Bun, and does not retry after a bad certificate", () => {
  const failed = (error: object) => Object.assign(new TypeError("fetch failed"), error);
  const node = (code: string) => failed({ cause: Object.assign(new Error("https://user:secret@host"), { code }) });
  const dns =
    "error sending request for url (http://secret.example/): client error (Connect): dns error: failed to lookup address information";
  const peer = "client error (Connect): invalid peer certificate: UnknownIssuer";
  const cases: [error: unknown, reason: RegExp, retryable: boolean][] = [
    [failed({ cause: new Error(dns) }), /the name of the server is unknown \(TypeError\)$/, true],
    [failed({ cause: new Error(peer) }), /certificate is not valid here \(TypeError\)$/, false],
    [
      failed({ cause: Object.assign(new AggregateError([node("ECONNREFUSED").cause]), {}) }),
      /refused \(ECONNREFUSED\)$/,
      true,
    ],
    [node("ENOTFOUND"), /unknown \(ENOTFOUND\)$/, true],
    [node("EAI_AGAIN"), /unknown \(EAI_AGAIN\)$/, true],
    [
      failed({ cause: new Error("client error (SendRequest): invalid HTTP version parsed") }),
      /answer is not HTTP, perhaps because the server expects https \(TypeError\)$/,
      true,
    ],
    [node("HPE_INVALID_CONSTANT"), /answer is not HTTP, perhaps .* \(HPE_INVALID_CONSTANT\)$/, true],
    [node("DEPTH_ZERO_SELF_SIGNED_CERT"), /certificate is not valid here/, false],
    [node("CERT_HAS_EXPIRED"), /certificate is not valid here/, false],
    [
      failed({ code: "ECONNRESET", message: "ECONNRESET: The socket connection was closed" }),
      /broke off \(ECONNRESET\)$/,
      true,
    ],
    [
      failed({ cause: new Error("error sending request for url (https://refused.example/): secret") }),
      /got no answer \(TypeError\)$/,
      true,
    ],
    [failed({ code: "a secret value" }), /got no answer \(TypeError\)$/, true],
    ["a secret", /got no answer \(string\)$/, true],
  ];
  for (const [error, reason, retryable] of cases) {
    const shown = noAnswer("send", error);
    assert.match(shown.message, reason);
    assert.equal(shown.retryable, retryable, shown.message);
    assert.doesNotMatch(Deno.inspect(shown), /secret/);
  }
  const endless = new Error("again");
  endless.cause = endless;
  assert.match(noAnswer("send", endless).message, /got no answer/);
});

Deno.test("connect().result() and getEvent() keep asking if every wait is cut short", async () => {
  const { app, direct, send } = await make();
  const cutting: Record<string, Fetch> = {
    "a server that drops what is idle": async (url, init) => {
      const cut = delay(systemClock, 30).then(() =>
        Promise.reject(new TypeError("connection closed before message completed"))
      );
      return await Promise.race([direct(url, init), cut]);
    },
    "a gateway that answers 504": async (url, init) =>
      await Promise.race([
        direct(url, init),
        delay(systemClock, 30).then(() => new Response("Gateway Timeout", { status: 504 })),
      ]),
    "the timeout of Hono": async (url, init) =>
      await new Hono().use(timeout(30)).route("/", app).request(scaled(url), init),
  };
  const waiting = Object.entries(cutting).map(async ([name, fetch]) => {
    let requests = 0;
    const counting: Fetch = (url, init) => (requests++, fetch(url, init));
    const onError = () => assert.fail(`${name} is no outage`);
    const cut = connect({
      url: "http://parley.test",
      token: "s3cret",
      clock: fastClock(FACTOR),
      fetch: counting,
      onError,
    });
    assert.deepEqual(await Promise.all([cut.handle("w").result(), cut.getEvent("w", "state", { timeout: "1h" })]), [
      "over",
      1,
    ]);
    assert(requests > 5 && requests < 200, `${name}: ${requests} requests`);
    await assert.rejects(cut.getEvent("w", "never", { timeout: "20s" }), { code: /timeout|driver|workflow_ended/ });
  });
  await delay(systemClock, OUTAGE_MS);
  await send(1);
  await send("end");
  await Promise.all(waiting);
  // The waits that were cut last 25 s of the client's time behind that.
  await delay(systemClock, 500);
});

Deno.test("connect(): waits and readers survive an outage of minutes, report it once each, and continue where they were", async () => {
  let down = false;
  const { client, send, told } = await make({
    route: (direct) => (url, init) =>
      down ? Promise.reject(new TypeError("fetch failed: connection refused")) : direct(url, init),
  });
  const watched: unknown[] = [];
  const reading = client.readStream("w", "log").collect();
  const watching = (async () => {
    for await (const value of client.watchEvent("w", "state")) watched.push(value);
  })();
  await send(1);
  await delay(systemClock, 20);
  down = true;
  const result = client.handle("w").result();
  const late = client.getEvent("w", "state", { timeout: "1h" });
  await delay(systemClock, OUTAGE_MS);
  // Later, an answer that a busy machine delays may look like another outage in this fast time.
  const outages = told.map((error) => outageOf(error)).filter((operation) => operation !== undefined);
  await send(2, "end");
  down = false;
  assert.deepEqual(await reading, { values: [1, 2], closed: true, nextOffset: 2 });
  await watching;
  assert.deepEqual([watched.at(-1), await result, await late], [2, "over", 2]);
  assert.equal(new Set(outages).size, outages.length, `one report each: ${outages}`);
  assert(outages.includes("result") && outages.includes('getEvent "state"'), `${outages}`);
  assert(told.every((error) => error instanceof DriverError && error.retryable));
});

Deno.test("connect(): a wait ends at its own timeout in an outage, and gives the fault as its reason if there was never an answer", async () => {
  let down = true;
  const { client } = await make({
    maxWait: 20,
    route: (direct) => (url, init) => down ? Promise.reject(new TypeError("connection refused")) : direct(url, init),
  });
  await assert.rejects(client.handle("w").result({ timeout: "30s" }), { code: "driver", message: /refused/ });
  await assert.rejects(client.getEvent("w", "never", { timeout: 0 }), { code: "driver", message: /refused/ });
  down = false;
  const waiting = client.handle("w").result({ timeout: "60s" });
  setTimeout(() => down = true, 150);
  await assert.rejects(waiting, { code: "timeout" });
  down = true;
  const leaving = new AbortController();
  const reading = client.readStream("w", "log", { signal: leaving.signal }).collect();
  const enough = new Error("enough");
  setTimeout(() => leaving.abort(enough), 100);
  await assert.rejects(reading, enough);
});

Deno.test("connect() reads by short answers if a proxy holds live ones back, and reports that once", async () => {
  const { app, parley, send } = await make();
  await using upstream = listen(app);
  let open = 0;
  // Holds an answer until it has all of it.
  const proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    open++;
    try {
      const response = await fetch(`${upstream.url}${pathname}${search}`, {
        headers: request.headers,
        signal: request.signal,
      });
      return new Response(await response.arrayBuffer(), { status: response.status, headers: response.headers });
    } catch {
      return new Response("Bad Gateway", { status: 502 });
    } finally {
      open--;
    }
  });
  const told: Error[] = [];
  // The client's first byte is due within 10 s of its time.
  const client = connect({
    url: `http://127.0.0.1:${proxy.addr.port}`,
    token: "s3cret",
    clock: fastClock(100),
    onError: (error) => told.push(error as Error),
  });
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const entry of client.readStream("w", "log").entries()) seen.push(entry);
  })();
  const watching = client.watchEvent("w", "state")[Symbol.asyncIterator]();
  await send("a");
  assert.equal((await watching.next()).value, "a");
  await watching.return?.();
  for (let value = 1; value <= 3; value++) {
    await send(value);
    const began = performance.now();
    while (seen.length <= value) {
      assert(performance.now() - began < 5_000, `value ${value} did not come`);
      await delay(systemClock, 5);
    }
  }
  await send("end");
  await reading;
  assert.deepEqual(seen, ["a", 1, 2, 3].map((value, offset) => ({ offset, value })));
  assert.deepEqual(told.map(({ message }) => /repeats short requests/.test(message)), [true]);
  await proxy.shutdown();
  assert.equal(open, 0);
  await parley.idle();
});

Deno.test("connect() asks by short answers after one connection that ended without a byte", async () => {
  const { client, send, told } = await make({
    route: (direct) => async (url, init) => {
      const response = await direct(url, init);
      if (!response.headers.get("content-type")?.includes("ndjson")) return response;
      await response.body?.cancel();
      return new Response(null, { headers: response.headers });
    },
  });
  const reading = client.readStream("w", "log").collect();
  await send(1, 2, "end");
  assert.deepEqual(await reading, { values: [1, 2], closed: true, nextOffset: 2 });
  assert.equal(told.length, 1);
});
