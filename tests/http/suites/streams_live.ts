/**
 * Connections that go on: signs of life, ends that are none, slow readers, readers that leave, a store that fails.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { DriverError } from "../../../mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { countedWatches, countListeners } from "../../core/setup.ts";
import { lines, sentEvents, serve, type Service, type ServiceOptions, take, until } from "../support/service.ts";

const LOG = "/workflows/w/streams/log";
const STATE = "/workflows/w/events/state";
const SSE = { accept: "text/event-stream" };
const LINES = { accept: "application/x-ndjson" };
const LIVE: readonly (readonly [path: string, headers: Record<string, string>])[] = [
  [LOG, SSE],
  [LOG, LINES],
  [`${LOG}?offset=-1&live=sse`, {}],
  [STATE, SSE],
  [STATE, LINES],
  ["/workflows/w/live?stream=log&event=state", SSE],
  ["/workflows/w/live?event=state", LINES],
];

/** Registers the tests. */
export function liveStreams(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule: Rule = (name, run, options = {}) =>
    test(name, async () => {
      await using harness = await makeHarness();
      const counted = countReads();
      await using service = await serve(harness, { ...options, driver: counted.driver });
      await run({ ...service, ...counted });
      // Who leaves does not wait for a read that is under way; the store has to.
      await until(() => counted.underWay() === 0);
    });
  idle(rule);
  slow(rule);
  leaving(rule);
  failing(rule);
}

type Rule = (name: string, run: (service: Service & Counted) => Promise<void>, options?: ServiceOptions) => void;

interface Counted {
  /** How often a stream or an event was read. */
  reads(): number;
  /** How many of the reads are not over. */
  underWay(): number;
  /** How many subscriptions are open. */
  watches(): number;
  /** From now on reads take until the returned function is called. */
  hold(): () => void;
  /** From now on the store fails. */
  fail(): void;
}

/** Wraps the driver of the app. */
function countReads(): Counted & { driver(driver: Driver): Driver } {
  let reads = 0;
  let underWay = 0;
  let failing = false;
  let held = Promise.resolve();
  let open = () => 0;
  const read =
    <Request, Result>(call: (request: Request) => Promise<Result>) => async (request: Request): Promise<Result> => {
      reads++;
      if (failing) throw new DriverError("The store is down (injected)", { retryable: false });
      underWay++;
      return await held.then(() => call(request)).finally(() => underWay--);
    };
  const driver = (inner: Driver) => {
    const watched = countedWatches(inner);
    open = watched.open;
    return { ...watched.driver, readStream: read(inner.readStream), readEvent: read(inner.readEvent) };
  };
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    return resolve;
  };
  return {
    driver,
    hold,
    reads: () => reads,
    underWay: () => underWay,
    watches: () => open(),
    fail: () => failing = true,
  };
}

function idle(rule: Rule): void {
  rule("a connection on which nothing comes shows again and again that it is alive", async ({ get, reads }) => {
    for (const [path, headers] of LIVE) {
      const response = await get(path, headers);
      const isLines = headers === LINES;
      if (isLines) {
        const blank = lines(response);
        assert.deepEqual(await take(blank, 4), ["", "", "", ""]);
        await blank.return(undefined);
      } else {
        const sent = sentEvents(response);
        await take(sent, 3, ({ comment }) => comment === true);
        await sent.return(undefined);
      }
    }
    // A sign of life costs the store nothing; what is more than one read a connection is the floor of polling under it.
    assert(reads() <= 3 * LIVE.length, `${reads()} reads`);
  }, { heartbeat: "10ms" });
  rule(
    "a connection is over after its time, and only the end of the stream is told as one",
    async ({ get, write, watches }) => {
      await write(1);
      for (const [path, headers] of LIVE) {
        const began = performance.now();
        const text = await (await get(path, headers)).text();
        assert(performance.now() - began >= 35, path);
        assert.doesNotMatch(text, /end|streamClosed/, path);
      }
      assert.equal(watches(), 0);
    },
    { maxConnection: "40ms" },
  );
  rule(
    "a connection is over after its time also if values come without a pause, or nobody reads them",
    async ({ get, tell, watches }) => {
      await tell({ many: 3_000 });
      const response = await get(LOG, SSE);
      await delay(systemClock, 60);
      assert.equal(watches(), 0);
      assert.doesNotMatch(await response.text(), /event: end/);
    },
    { maxConnection: "40ms" },
  );
  rule(
    "a reader that comes back where it was cut off misses nothing and sees nothing twice",
    async ({ get, write, tell }) => {
      const seen: unknown[] = [];
      let connections = 0;
      const reading = (async () => {
        for (let id = "", ended = false; !ended; connections++) {
          for await (const sent of sentEvents(await get(LOG, { ...SSE, ...(id && { "last-event-id": id }) }))) {
            id = sent.id ?? id;
            ended = sent.event === "end";
            if (sent.data && !ended) seen.push([id, sent.data]);
          }
        }
      })();
      for (let value = 0; value < 20; value++) {
        await write(value);
        await delay(systemClock, 5);
      }
      await tell("close");
      await reading;
      assert.deepEqual(seen, Array.from({ length: 20 }, (_, n) => [String(n), String(n)]));
      assert(connections > 2, `${connections} connections`);
    },
    { maxConnection: "15ms" },
  );
}

function slow(rule: Rule): void {
  rule("a reader that does not read has nothing read for it", async ({ get, tell, reads }) => {
    await tell({ many: 5_000 }, "close");
    for (const [path, headers] of LIVE.slice(0, 3)) {
      const before = reads();
      const reader = (await get(path, headers)).body!.getReader();
      await delay(systemClock, 20);
      assert.equal(reads() - before, 1, path);
      await reader.read();
      await delay(systemClock, 20);
      assert.equal(reads() - before, 1, path);
      await reader.read();
      await delay(systemClock, 20);
      assert.equal(reads() - before, 2, path);
      await reader.cancel();
    }
  });
}

function leaving(rule: Rule): void {
  rule(
    "a reader that leaves, before it reads or while it waits, leaves no subscription, timer or listener",
    async ({ get, watches }) => {
      using listeners = countListeners();
      for (const [path, headers] of LIVE) {
        await (await get(path, headers)).body!.cancel();
        const reader = (await get(path, headers)).body!.getReader();
        await reader.read();
        const waiting = reader.read();
        // A connection with a stream and an event watches each of them.
        await until(() => watches() === (path.includes("stream=log&event=") ? 2 : 1));
        await reader.cancel();
        await waiting;
        await until(() => watches() === 0);
      }
      await until(() => listeners.left() === 0);
    },
  );
  rule(
    "a reader that leaves while it waits for one answer ends the wait at once",
    async ({ app, get, watches, errors }) => {
      for (const path of [`${LOG}?wait=1m`, `${LOG}?offset=0&live=long-poll`, `${STATE}?wait=1m`]) {
        const gone = new AbortController();
        const asked = get(path, {}, { signal: gone.signal });
        await until(() => watches() === 1);
        gone.abort();
        await (await asked).body?.cancel();
        assert.equal(watches(), 0, path);
      }
      assert.deepEqual(errors, []);
      assert(app);
    },
  );
  rule("a reader that leaves before its answer has begun leaves nothing", async ({ get, watches, underWay, hold }) => {
    using listeners = countListeners();
    const release = hold();
    const gone = new AbortController();
    const answers = LIVE.map(([path, headers]) => get(path, headers, { signal: gone.signal }));
    await until(() => underWay() > 0);
    const began = performance.now();
    gone.abort();
    await Promise.all(answers.map(async (answer) => await (await answer).body?.cancel()));
    assert(performance.now() - began < 2_000);
    assert.equal(watches(), 0);
    release();
    await until(() => listeners.left() === 0);
  });
  rule("a reader of a workflow that ends and is purged before it looks again comes to its end", async (service) => {
    const { get, tell, hold, parley, watches, errors } = service;
    await tell({ write: "seen" }, { set: "seen" });
    const bodies = await Promise.all(LIVE.map(async ([path, headers]) => (await get(path, headers)).body!.getReader()));
    const textUntil = async (body: ReadableStreamDefaultReader<Uint8Array>, isEnough: (text: string) => boolean) => {
      let text = "";
      for (let done = false; !done && !isEnough(text);) {
        const read = await body.read();
        text += new TextDecoder().decode(read.value);
        done = read.done;
      }
      return text;
    };
    for (const body of bodies) await textUntil(body, (text) => text.includes("seen"));
    const release = hold();
    const reading = bodies.map((body) => textUntil(body, () => false));
    await tell("end");
    assert.equal(await parley.purge({ olderThan: 0 }), 1);
    release();
    const outcomes = await Promise.allSettled(reading);
    // That of a stream is broken off: whoever comes back is told that there is no such workflow.
    assert.deepEqual(outcomes.map((it) => it.status === "rejected" ? it.reason.code : it.value.split("\n")[0]), [
      "workflow_not_found",
      "workflow_not_found",
      "workflow_not_found",
      "event: end",
      '{"end":true,"version":1}',
      "workflow_not_found",
      '{"end":true}',
    ]);
    for (const [path, headers] of LIVE.slice(0, 3)) assert.equal((await get(path, headers)).status, 404);
    assert.deepEqual([watches(), errors], [0, []]);
  }, { maxConnection: "3s" });
  rule("HEAD opens nothing", async ({ get, watches }) => {
    for (const [path, headers] of LIVE) assert.equal((await get(path, headers, { method: "HEAD" })).status, 200);
    assert.equal(watches(), 0);
  });
}

function failing(rule: Rule): void {
  rule("a store that fails breaks a body off, which never looks complete, and is reported", async (service) => {
    const { get, write, fail, errors, watches } = service;
    await write(1);
    const bodies = await Promise.all(
      LIVE.slice(0, 3).map(async ([path, headers]) => (await get(path, headers)).body!.getReader()),
    );
    for (const body of bodies) await body.read();
    fail();
    const cut = bodies.map((body) => assert.rejects(body.read(), DriverError));
    await service.tell({ write: 2 });
    await Promise.all(cut);
    assert.deepEqual([errors.length, watches()], [3, 0]);
    assert.equal((await get(LOG, SSE)).status, 502);
  });
}
