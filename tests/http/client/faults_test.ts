import assert from "node:assert/strict";
import type { Clock } from "../../../core/time/clock.ts";
import { connect, type ConnectOptions } from "../../../http/client/client.ts";
import { bearer, httpWake, parleyHttp } from "../../../http/mod.ts";
import { memoryDriver, Parley, type ParleyError, workflow } from "../../../mod.ts";

const echo = workflow("echo", (_ctx, input: unknown) => input);

/** Its short pauses are over at once, and its time stands still. */
function hasty(): Clock & { readonly pauses: number[] } {
  const pauses: number[] = [];
  const after = (ms: number, run: () => void) => {
    if (ms > 6_250) return () => {};
    pauses.push(ms);
    const timer = setTimeout(run, 0);
    return () => clearTimeout(timer);
  };
  return { now: () => 0, after, pauses };
}

async function rejection(promise: Promise<unknown>): Promise<ParleyError> {
  return await promise.then(() => assert.fail("it did not reject"), (error) => error);
}

function make(options: Partial<ConnectOptions> = {}) {
  const parley = new Parley({ driver: memoryDriver(), workflows: [echo], hotWait: 0 });
  const app = parleyHttp({ parley, auth: bearer("s3cret"), onError: () => {}, bodyLimit: 1_000 });
  const fetch: ConnectOptions["fetch"] = async (url, init) => await app.request(url, init);
  return {
    parley,
    app,
    client: connect({ url: "https://parley.test", token: "s3cret", clock: hasty(), fetch, ...options }),
  };
}

Deno.test("connect() follows no redirect, which would make a start a list", async () => {
  const { app, parley } = make();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const url = new URL(request.url);
    if (url.pathname.startsWith("/parley/")) {
      return app.fetch(new Request(request.url.replace("/parley/", "/"), request));
    }
    return Response.redirect(`${url.origin}/parley${url.pathname}`, 301);
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const { client } = make({ url: origin, fetch: globalThis.fetch });
  const error = await rejection(client.start("echo", 1));
  assert.deepEqual([error.code, Reflect.get(error, "retryable")], ["driver", false]);
  assert.match(error.message, /redirect/);
  assert.match((await rejection(client.list())).message, /redirect/);
  assert.match((await rejection(Array.fromAsync(client.readStream("w", "k")))).message, /redirect/);
  const { client: right } = make({ url: `${origin}/parley`, fetch: globalThis.fetch });
  assert.equal((await right.start("echo", 1)).created, true);
  await parley.idle();
});

Deno.test("connect().start() without an ID says that it created the workflow, even if the first answer was lost", async () => {
  const { app } = make();
  let lost = 0;
  const fetch: ConnectOptions["fetch"] = async (url, init) => {
    const response = await app.request(url, init);
    if (lost++ > 0) return response;
    await response.body?.cancel();
    throw new TypeError("connection reset");
  };
  const { client } = make({ fetch });
  assert.equal((await client.start(echo, 1)).created, true);
  await client.start(echo, 1, { workflowId: "w" });
  assert.equal((await client.start(echo, 1, { workflowId: "w" })).created, false);
});

Deno.test("connect().readStream() pauses longer and longer if a server ends each connection at once", async () => {
  const clock = hasty();
  const leaving = new AbortController();
  const fetch = () => {
    if (clock.pauses.length === 10) leaving.abort(new Error("enough"));
    return Promise.resolve(new Response(null, { headers: { "content-type": "application/vnd.parley+ndjson" } }));
  };
  const { client } = make({ clock, fetch: async () => new Response("\n", await fetch()) });
  assert.equal(
    (await rejection(Array.fromAsync(client.readStream("w", "k", { signal: leaving.signal })))).message,
    "enough",
  );
  const [first = 0, last = 0] = [clock.pauses[0], clock.pauses.at(-1)];
  assert(first <= 500 && last >= 2_500 && last <= 5_000, String(clock.pauses));
});

Deno.test("connect() takes no stream from a server that is no adapter, and gives up", async () => {
  const { client } = make({
    onError: () => {},
    fetch: () => Promise.resolve(new Response("", { headers: { "content-type": "text/html" } })),
  });
  assert.equal((await rejection(Array.fromAsync(client.readStream("w", "k")))).code, "driver");
});

Deno.test("connect() tells of a value that is too large for a request by the class that a Parley throws", async () => {
  const { client } = make();
  const error = await rejection(client.start(echo, "x".repeat(2_000)));
  assert.deepEqual([error.name, error.code, Reflect.get(error, "limit")], [
    "ValueTooLargeError",
    "value_too_large",
    1_000,
  ]);
  assert(Reflect.get(error, "bytes") > 2_000);
});

Deno.test("connect() repeats a request that any gateway failed to pass on", async () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 530]) {
    const answers = [new Response("<h1>Sorry</h1>", { status })];
    const { app, parley } = make();
    const { client } = make({ fetch: async (url, init) => answers.shift() ?? await app.request(url, init) });
    assert.equal(await (await client.start(echo, status)).result(), status);
    await parley.idle();
  }
  for (const status of [400, 404, 405, 501]) {
    let requests = 0;
    const { client } = make({ fetch: () => (requests++, Promise.resolve(new Response("no", { status }))) });
    assert.equal((await rejection(client.cancel("w"))).code, "driver");
    assert.equal(requests, 1, `${status}`);
  }
});

Deno.test("connect() refuses a token that no header can carry, and reports a failing token function", async () => {
  for (const token of ["", "line\n", "two words", "tökén", undefined as unknown as string]) {
    assert.throws(() => make({ token }), { code: "invalid_value" });
  }
  const expired = new Error("sign in again");
  const { client } = make({ token: () => Promise.reject(expired) });
  const error = await rejection(client.list());
  assert.deepEqual([error.code, error.cause, Reflect.get(error, "retryable")], ["driver", expired, false]);
  assert.match((await rejection(make({ token: () => "line\n" }).client.list())).message, /token/);
});

Deno.test("connect() and httpWake() refuse a URL with only a password in it", () => {
  const url = "https://:secret@a.example";
  assert.throws(() => connect({ url, token: "t" }), (error: Error) => !error.message.includes("secret"));
  assert.throws(() => httpWake({ url, token: "t" }), (error: Error) => !error.message.includes("secret"));
});

Deno.test("httpWake() gives up on an invocation that does not answer", async () => {
  const fetch = (_url: string, { signal }: RequestInit) =>
    new Promise<Response>((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const wake = httpWake({ url: "https://a.example", token: "t", fetch, timeout: 5 });
  await assert.rejects(wake(["w"]), /no answer \(TimeoutError\)/);
});

Deno.test("connect() gives up on an answer that does not come, and asks a server that does not wait but once a second", async () => {
  const clock: Clock = { now: () => 0, after: (ms, run) => (setTimeout(run, ms >= 30_000 ? 0 : 1), () => {}) };
  const never: ConnectOptions["fetch"] = (_url, { signal }) =>
    new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  const error = await rejection(make({ clock, fetch: never }).client.list());
  assert.deepEqual([error.code, Reflect.get(error, "retryable")], ["driver", true]);
  const { parley, app } = make();
  await parley.start("echo", 1, { workflowId: "w", enqueue: true });
  const hurried = hasty();
  const leaving = new AbortController();
  let answer: Response | Promise<Response> | undefined;
  const { client } = make({
    clock: hurried,
    fetch: async (url, init) => {
      if (hurried.pauses.length === 3) leaving.abort(new Error("enough"));
      return await (answer = app.request(url.replace(/wait=\w+/, "wait=0s"), init));
    },
  });
  assert.equal((await rejection(client.handle("w").result({ signal: leaving.signal }))).message, "enough");
  // The server is still busy with the last request, which the client has given up.
  await answer;
  assert.deepEqual(hurried.pauses, [1_000, 1_000, 1_000]);
});
