import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import { Parley, workflow } from "../../../mod.ts";
import { neonDriverTest } from "../../drivers/neon/support/setting.ts";
import { listen } from "../support/service.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const READERS = 1_000;
const VALUES = 30;
const MIB = 2 ** 20;
/** For all of it, on a machine with other work to do. */
const PATIENCE_MS = 120_000;

/** Within it, readers that have passed a value on wait for the next one. */
const REJOIN_MS = 100;

/** Readers that kept what they have read would hold 110 MiB more at the end than after the first value. */
const TEXT = "x".repeat(4_000);
const MAX_GROWTH_MIB = 30;

const writer = workflow("writer", async (ctx) => {
  for (let value = await ctx.recv<number>(); value < VALUES; value = await ctx.recv<number>()) {
    await ctx.writeStream("log", { value, text: TEXT });
  }
});

/** Reads server-sent events to the end, and says what their IDs were. */
async function read(url: string, progress: { seen: number }, signal: AbortSignal): Promise<string> {
  const headers = { accept: "text/event-stream", authorization: "Bearer s3cret" };
  const response = await fetch(url, { headers, signal });
  let ids = "";
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith("id: ")) continue;
      ids += `${line.slice("id: ".length)} `;
      progress.seen++;
    }
  }
  return ids;
}

/** What is left on the heap when it was cleaned up, and in buffers beside it. */
function heldMiB(): number {
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / MIB;
}

/** Waits for what has to come true before the patience of the test is over. */
function patience(): (condition: () => boolean) => Promise<void> {
  const began = performance.now();
  return async (condition) => {
    while (!condition()) {
      assert(performance.now() - began < PATIENCE_MS, `it did not come true: ${condition}`);
      await delay(systemClock, 2);
    }
  };
}

neonDriverTest(
  `${READERS} readers of a stream all get all of it, over one push connection and one read a value`,
  async ({ server, open }) => {
    const reads = server.fault({
      times: Infinity,
      matches: ({ statements }) => statements.some(({ query }) => query.includes("read_stream")),
      answer: () => undefined,
    });
    await using elsewhere = new Parley({ driver: open({ push: false }).driver, workflows: [writer] });
    await using parley = new Parley({ driver: open().driver });
    await using http = listen(parleyHttp({ parley, auth: bearer("s3cret") }));
    await elsewhere.start(writer, undefined, { workflowId: "w" });
    await elsewhere.idle();

    const until = patience();
    const progress = { seen: 0 };
    // A server waits for its readers, so a failure has to end them.
    using leaving = new DisposableStack();
    const { signal } = leaving.adopt(new AbortController(), (it) => it.abort());
    const reading = Promise.all(
      Array.from({ length: READERS }, () => read(`${http.url}/workflows/w/streams/log`, progress, signal)),
    );
    reading.catch(() => {});
    await until(() => reads.hits >= READERS && server.websockets.open === 1);
    let before = 0;
    for (let value = 0; value < VALUES; value++) {
      await elsewhere.send("w", value);
      await until(() => progress.seen === READERS * (value + 1));
      // A reader that comes to the tail after the next value was read there reads it by itself.
      await delay(systemClock, REJOIN_MS);
      if (value === 0) before = heldMiB();
    }
    const growth = heldMiB() - before;
    await elsewhere.send("w", VALUES);

    const expected = `${Array.from({ length: VALUES }, (_, n) => `${n} `).join("")}end:${VALUES} `;
    for (const ids of await reading) assert.equal(ids, expected);
    assert.equal(server.websockets.opened, 1);
    // One for each to begin with, then one a value and one for the end, with some to spare for hints that say it twice.
    assert(reads.hits <= READERS + 3 * (VALUES + 1), `${reads.hits} reads`);
    assert(growth < MAX_GROWTH_MIB, `the readers hold ${growth} MiB more`);
  },
);
