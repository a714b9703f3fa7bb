import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { scopedTokens } from "../../../http/mod.ts";
import { DriverError } from "../../../mod.ts";
import { countedWatches } from "../../core/setup.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { listen, serve, type Service, type ServiceOptions, until } from "../support/service.ts";

const tokens = scopedTokens("0123456789abcdef");
const SSE = { accept: "text/event-stream" };

/** A service on a socket. */
function socketTest(
  name: string,
  run: (service: Service & { url: string; headers: HeadersInit }) => Promise<void>,
  options?: ServiceOptions,
) {
  Deno.test(name, async () => {
    await using harness = await memoryHarness();
    await using service = await serve(harness, { auth: tokens, ...options });
    const token = await tokens.mint({ actions: ["stream", "event"], expiresIn: "1m" });
    await using server = listen(service.app);
    await run({ ...service, url: `${server.url}/workflows/w`, headers: { authorization: `Bearer ${token}` } });
  });
}

/** What an `EventSource` gets, until it is told of the end. */
function listenTo(url: string): { source: EventSource; seen: string[]; ended: Promise<void> } {
  const source = new EventSource(url);
  const seen: string[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  source.onmessage = ({ data, lastEventId }) => void seen.push(`${lastEventId}: ${data}`);
  source.addEventListener("end", ({ lastEventId }) => (seen.push(lastEventId), resolve()));
  return { source, seen, ended };
}

socketTest(
  "an EventSource with a token in its URL reads a stream over broken connections, and misses nothing",
  async (service) => {
    const { url, write, tell } = service;
    const token = await tokens.mint({ actions: ["stream"], workflowId: "w", keys: ["log"], expiresIn: "1m" });
    const { source, seen, ended } = listenTo(`${url}/streams/log?token=${token}`);
    for (let value = 0; value < 8; value++) {
      await write(value);
      await delay(systemClock, 200);
    }
    await tell("close");
    await ended;
    assert.deepEqual(seen, [...Array.from({ length: 8 }, (_, n) => `${n}: ${n}`), "end:8"]);
    source.close();
  },
  { maxConnection: "300ms" },
);

socketTest(
  "an EventSource that does not close at the end is told to stay away",
  async ({ url, write, tell, headers }) => {
    await write(1);
    await tell({ set: 1 }, "end");
    const token = new Headers(headers).get("authorization")!.slice("Bearer ".length);
    for (const path of ["streams/log", "events/state"]) {
      const { source, seen, ended } = listenTo(`${url}/${path}?token=${token}`);
      await ended;
      await until(() => source.readyState === EventSource.CLOSED);
      assert.equal(seen.length, 2);
    }
  },
);

socketTest("a token for one stream reads that one alone, by header and by parameter", async ({ url, write }) => {
  await write("secret");
  const token = await tokens.mint({ actions: ["stream"], workflowId: "w", keys: ["log"], expiresIn: "1m" });
  const others = [
    `${url}/streams/other`,
    `${url}/events/log`,
    url,
    `${url.slice(0, -1)}x/streams/log`,
    `${url}/streams/log%2F`,
  ];
  for (const headers of [SSE, { accept: "application/json" }, { accept: "application/x-ndjson" }]) {
    const ask = async (path: string) => {
      const statuses: number[] = [];
      for (
        const [query, authorization] of [[`?token=${token}`, ""], ["", `Bearer ${token}`], [
          "?offset=-1",
          `Bearer ${token}`,
        ]]
      ) {
        const response = await fetch(path + query, {
          headers: { ...headers, ...(authorization && { authorization }) },
        });
        await response.body?.cancel();
        statuses.push(response.status);
      }
      return statuses;
    };
    assert.deepEqual(await ask(`${url}/streams/log`), [200, 200, 200]);
    for (const path of others) assert.deepEqual(await ask(path), [403, 403, 403], path);
  }
  const nobody = await fetch(`${url}/streams/log`, { headers: SSE });
  assert.deepEqual([nobody.status, await nobody.body?.cancel()], [401, undefined]);
});

socketTest("a token for one event reads that one alone", async ({ url, tell }) => {
  await tell({ set: "secret" });
  const token = await tokens.mint({ actions: ["event"], workflowId: "w", keys: ["state"], expiresIn: "1m" });
  for (
    const [path, status] of [["events/state", 200], ["events/other", 403], ["streams/state", 403], [
      "result",
      403,
    ]] as const
  ) {
    for (const [query, headers] of [[`?token=${token}`, SSE], ["", { authorization: `Bearer ${token}` }]] as const) {
      const response = await fetch(`${url}/${path}${query}`, { headers });
      await response.body?.cancel();
      assert.equal(response.status, status, path);
    }
  }
});

const watches = { open: () => 0 };
const countWatches = (driver: Driver) => {
  const counted = countedWatches(driver);
  watches.open = counted.open;
  return counted.driver;
};

socketTest("a client that goes away ends its wait at once", async ({ url, headers, errors }) => {
  for (
    const path of [
      "streams/log",
      "streams/log?offset=0&live=sse",
      "events/state",
      "streams/log?wait=1m",
      "events/state?wait=1m",
    ]
  ) {
    const gone = new AbortController();
    const accept = path.includes("wait") ? {} : SSE;
    const asked = fetch(`${url}/${path}`, { headers: { ...headers, ...accept }, signal: gone.signal });
    asked.then((response) => response.text()).catch(() => {});
    await until(() => watches.open() === 1);
    await delay(systemClock, 20);
    gone.abort();
    await until(() => watches.open() === 0);
  }
  assert.deepEqual(errors, []);
}, { driver: countWatches });

let reads = 0;
let isDown = false;
const countReads = (driver: Driver): Driver => ({
  ...driver,
  readStream: async (request) => {
    reads++;
    if (isDown) throw new DriverError("The store is down (injected)", { retryable: false });
    return await driver.readStream(request);
  },
});

socketTest(
  "a client that does not read has no more read for it than its connection holds",
  async ({ url, headers, tell }) => {
    reads = 0;
    await tell({ many: 64, padding: 2 ** 19 }, "close");
    const response = await fetch(`${url}/streams/log`, { headers: { ...headers, ...SSE } });
    // 32 MiB at 1 MiB a read; what the sockets between take was measured as 5 MiB.
    await delay(systemClock, 300);
    const held = reads;
    assert(held < 20, `${held} reads`);
    await delay(systemClock, 200);
    assert.equal(reads, held);
    await response.body?.cancel();
  },
  { driver: countReads },
);

socketTest(
  "a store that fails cuts the connection, as no complete body ends",
  async ({ url, headers, write, errors }) => {
    isDown = false;
    await write(1);
    for (const accept of ["text/event-stream", "application/x-ndjson"]) {
      isDown = false;
      const body = (await fetch(`${url}/streams/log`, { headers: { ...headers, accept } })).body!.getReader();
      await body.read();
      isDown = true;
      const cut = assert.rejects(body.read(), TypeError);
      await write(2);
      await cut;
    }
    assert.equal(errors.length, 2);
  },
  { driver: countReads },
);
