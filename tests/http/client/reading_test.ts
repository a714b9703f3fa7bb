import assert from "node:assert/strict";
import { connect, type Fetch } from "../../../http/client/client.ts";
import { bearer, parleyHttp, type ParleyHttpOptions } from "../../../http/mod.ts";
import { memoryDriver, Parley, type ParleyError, workflow } from "../../../mod.ts";
import { listen } from "../support/service.ts";

const VALUES: unknown[] = [undefined, null, 10n, new Date(5), "line\nbreak", new Map([[1, "ö".repeat(1_000)]]), -0];

/** Writes what it is sent, and ends at `"end"`. */
const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<unknown>();
    if (value === "end") return "over";
    await Promise.all([ctx.writeStream("log", value), ctx.setEvent("state", value)]);
  }
});

/** What happens to the body of an answer: it breaks after so many bytes, or ends there as if it were complete. */
interface Cut {
  after: number;
  how: "break" | "end";
}

/** A client of an app in this process, whose connections are cut in turn. */
async function make({ cuts = [] as Cut[], ...options }: { cuts?: Cut[] } & Partial<ParleyHttpOptions> = {}) {
  const parley = new Parley({ driver: memoryDriver(), workflows: [scribe], hotWait: 0 });
  const app = parleyHttp({ parley, auth: bearer("s3cret"), onError: () => {}, ...options });
  const opened: string[] = [];
  const fetch: Fetch = async (url, init) => {
    const response = await app.request(url, init);
    if (init.method !== "GET" || !response.body) return response;
    opened.push(url.replace("http://parley.test", ""));
    const cut = response.headers.get("content-type")?.includes("ndjson") ? cuts.shift() : undefined;
    return cut ? new Response(response.body.pipeThrough(cutting(cut)), response) : response;
  };
  const client = connect({ url: "http://parley.test", token: "s3cret", fetch });
  const handle = await client.start(scribe, undefined, { workflowId: "w" });
  const send = async (...messages: unknown[]) => {
    await client.sendAll(messages.map((message) => ({ destinationId: "w", message })));
    await parley.idle();
  };
  return { parley, client, handle, opened, send };
}

function cutting({ after, how }: Cut): TransformStream<Uint8Array, Uint8Array> {
  let left = after;
  return new TransformStream(
    {
      transform(chunk, controller) {
        if (left > 0) controller.enqueue(chunk.slice(0, left));
        left -= chunk.length;
        if (left > 0) return;
        if (how === "end") controller.terminate();
        else controller.error(new TypeError("connection reset"));
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterable) values.push(value);
  return values;
}

Deno.test("connect().readStream() yields every value, equal, whether written before or later, and ends with the workflow", async () => {
  const { client, send } = await make();
  await send(...VALUES.slice(0, 3));
  const reading = all(client.readStream("w", "log").entries());
  await send(...VALUES.slice(3), "end");
  assert.deepEqual(await reading, VALUES.map((value, offset) => ({ offset, value })));
  assert.deepEqual(await all(client.readStream("w", "log", { from: 5 })), VALUES.slice(5));
  assert.deepEqual(await all(client.handle("w").readStream("log").toReadableStream()), VALUES);
});

Deno.test("connect().readStream() continues after a cut at any byte, with nothing lost or twice", async () => {
  for (const how of ["break", "end"] as const) {
    for (const after of [0, 1, 7, 40, 90, 400, 1_500]) {
      const { client, send } = await make({ cuts: [{ after, how }, { after: 1, how: "break" }] });
      await send(...VALUES, "end");
      const reading = await client.readStream("w", "log").collect();
      assert.deepEqual(reading, { values: VALUES, closed: true, nextOffset: VALUES.length }, `${how} after ${after}`);
    }
  }
});

Deno.test("connect().readStream() survives that the server ends its connections by itself", async () => {
  const { client, send, opened } = await make({ maxConnection: 60 });
  const reading = all(client.readStream("w", "log"));
  await send(1);
  for (let tries = 0; opened.length < 3; tries++) {
    assert(tries < 200, "the server ended no connection");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await send(2, "end");
  assert.deepEqual(await reading, [1, 2]);
  assert.match(opened.at(-1)!, /from=[12]$/);
});

Deno.test("connect().readStream({ wait: false }) returns all current pages", async () => {
  const { client, send, handle } = await make();
  const values = Array.from({ length: 1_500 }, (_, n) => n);
  await send(...values);
  assert.deepEqual(await client.readStream("w", "log", { wait: false }).collect(), {
    values,
    closed: false,
    nextOffset: 1_500,
  });
  const { values: rest, nextOffset } = await client.readStream("w", "log", { wait: false, from: 1_499 }).collect();
  assert.deepEqual([rest, nextOffset], [[1_499], 1_500]);
  await handle.cancel();
  const part = await all(client.readStream("w", "log", { wait: false, from: 1_498 }).entries());
  assert.deepEqual(part, [{ offset: 1_498, value: 1_498 }, { offset: 1_499, value: 1_499 }]);
  assert.equal((await client.readStream("w", "log", { wait: false }).collect()).closed, true);
});

Deno.test("connect().watchEvent() yields the current value and later ones, over connections that are cut, until the workflow ends", async () => {
  const { client, send } = await make({ cuts: [{ after: 45, how: "break" }, { after: 45, how: "end" }] });
  await send("first");
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const { version, value } of client.watchEvent("w", "state").entries()) seen.push([version, value]);
  })();
  for (const value of [new Date(1), undefined, "last"]) {
    const before = seen.length;
    await send(value);
    for (let tries = 0; seen.length === before || tries < 1; tries++) {
      assert(tries < 500, "no value came");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  await send("end");
  await watching;
  assert.deepEqual(seen.at(-1), [4, "last"]);
  assert.deepEqual(new Set(seen.map((it) => (it as [number])[0])).size, seen.length, "no version twice");
  assert.deepEqual(await client.getEvent("w", "state"), "last");
  assert.deepEqual(await client.getEventEntry("w", "state", { after: 3 }), { version: 4, value: "last" });
  assert.deepEqual(await all(client.handle("w").watchEvent("state", { after: 4 })), []);
});

Deno.test("connect().getEvent() waits for a later value, and rejects after its own timeout", async () => {
  const { client, send, handle } = await make({ maxWait: 50 });
  const waiting = client.getEvent("w", "state", { timeout: "10s" });
  await new Promise((resolve) => setTimeout(resolve, 120));
  await send(7);
  assert.equal(await waiting, 7);
  const error: ParleyError = await client.getEvent("w", "none", { timeout: 100 }).then(
    () => assert.fail(),
    (error) => error,
  );
  assert.deepEqual([error.code, error.message], ["timeout", 'getEvent "none": timed out after 100 ms']);
  await handle.cancel();
});

Deno.test("a reader of connect() that leaves early, or whose signal aborts, ends its connection", async () => {
  const { client, send, handle } = await make();
  await send(1);
  const reason = new Error("enough");
  for (const read of ["readStream", "watchEvent"] as const) {
    const key = read === "readStream" ? "log" : "state";
    for await (const value of client[read]("w", key)) {
      assert.equal(value, 1);
      break;
    }
    const controller = new AbortController();
    const iterator = client[read]("w", key, { signal: controller.signal })[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value, 1);
    const next = iterator.next();
    controller.abort(reason);
    await assert.rejects(next, reason);
  }
  await handle.cancel();
});

Deno.test("connect().readStream() rejects if there is no such workflow, or the token is wrong", async () => {
  const { client, handle } = await make();
  await assert.rejects(client.readStream("nobody", "log").collect(), {
    code: "workflow_not_found",
    workflowId: "nobody",
  });
  await assert.rejects(client.readStream("nobody", "log", { wait: false }).collect(), { code: "workflow_not_found" });
  assert.throws(() => client.readStream("w", "log", { from: -1 }), { code: "invalid_value" });
  await handle.cancel();
});

Deno.test("a reader that is ahead of its stream or event hears of it over a socket, however it reads, and others go on", async () => {
  const parley = new Parley({ driver: memoryDriver(), workflows: [scribe], hotWait: 0 });
  await using server = listen(parleyHttp({ parley, auth: bearer("s3cret") }));
  const client = connect({ url: server.url, token: "s3cret" });
  await client.start(scribe, undefined, { workflowId: "w" });
  await client.send("w", 1);
  await parley.idle();
  const ahead = {
    name: "OffsetOutOfRangeError",
    code: "offset_out_of_range",
    workflowId: "w",
    key: "log",
    offset: 2,
    end: 1,
  };
  for (const wait of [true, false]) {
    const reader = client.readStream("w", "log", { from: 2, wait });
    await assert.rejects(Array.fromAsync(reader), ahead);
    await assert.rejects(Array.fromAsync(reader.entries()), ahead);
    await assert.rejects(reader.collect(), ahead);
    await assert.rejects(Array.fromAsync(reader.toReadableStream()), ahead);
  }
  const unseen = {
    name: "VersionOutOfRangeError",
    code: "version_out_of_range",
    workflowId: "w",
    key: "state",
    after: 9,
    version: 1,
  };
  await assert.rejects(Array.fromAsync(client.watchEvent("w", "state", { after: 9 })), unseen);
  await assert.rejects(client.getEventEntry("w", "state", { after: 9 }), unseen);
  const atEnd = Array.fromAsync(client.readStream("w", "log", { from: 1 }));
  await client.send("w", 2);
  await client.send("w", "end");
  assert.deepEqual(await atEnd, [2]);
  await parley[Symbol.asyncDispose]();
});
