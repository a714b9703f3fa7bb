/**
 * Readers of `connect()` that share a connection.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect, type Fetch } from "../../../http/client/client.ts";
import { anyOf, scopedTokens } from "../../../http/mod.ts";
import { type Client, DriverError, WorkflowNotFoundError } from "../../../mod.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { fastClock } from "../support/fast_clock.ts";
import { serve, type Service, type ServiceOptions, take, TOKEN, until } from "../support/service.ts";

const SECRET = "a secret of the tests, and of nobody else";

interface Shared extends Service {
  readonly client: Client;
  /** The live connections, in order, without their origin. */
  readonly opened: string[];
  /** How many of them are open. */
  open(): number;
}

/** A client of a service in this process. */
async function withClient(
  run: (them: Shared) => Promise<void>,
  options: ServiceOptions & { token?: string; change?: (response: Response) => Response } = {},
): Promise<void> {
  const { token = TOKEN, change = (it) => it, ...rest } = options;
  await using harness = await memoryHarness();
  await using service = await serve(harness, rest);
  const opened: string[] = [];
  const open = new Set<Response>();
  const fetch: Fetch = async (url, init) => {
    const response = await service.app.request(url, init);
    if (!response.headers.get("content-type")?.includes("ndjson")) return response;
    opened.push(decodeURIComponent(url.replace("http://parley.test/workflows", "")));
    open.add(response);
    const body = change(response).body!.pipeThrough(new TransformStream<Uint8Array, Uint8Array>());
    const reader = body.getReader();
    const counted = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read().catch((error) => (open.delete(response), Promise.reject(error)));
        if (!done) return controller.enqueue(value);
        open.delete(response);
        controller.close();
      },
      async cancel(reason) {
        open.delete(response);
        await reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
    return new Response(counted, response);
  };
  const client = connect({ url: "http://parley.test", token, fetch, clock: fastClock(5), onError: () => {} });
  await run({ ...service, client, opened, open: () => open.size });
  assert.equal(open.size, 0, "a connection was left open");
}

/** Starts to iterate over all of them in one tick. */
function start<T>(...readers: AsyncIterable<T>[]): AsyncIterator<T>[] {
  return readers.map((it) => it[Symbol.asyncIterator]());
}

Deno.test("readers of a workflow that start in one tick share a connection, and get equal values", async () => {
  await withClient(async ({ client, tell, opened }) => {
    const values = [undefined, 10n, new Date(5), new Map([[1, "ö"]]), -0];
    await tell(...values.map((write) => ({ write })), { write: "other", to: "b / ü" }, { set: new Set([1]) }, "end");
    const handle = client.handle("w");
    const [log, other, state] = await Promise.all([
      Array.fromAsync(handle.readStream("log", { from: 1 }).entries()),
      handle.readStream("b / ü").collect(),
      Array.fromAsync(handle.watchEvent("state").entries()),
    ]);
    assert.deepEqual(log, values.slice(1).map((value, index) => ({ offset: index + 1, value })));
    assert.deepEqual(other, { values: ["other"], closed: true, nextOffset: 1 });
    assert.deepEqual(state, [{ version: 1, value: new Set([1]) }]);
    assert.deepEqual(opened, ["/w/live?stream=log&stream=b+/+ü&event=state&after=1.0.0"]);
  });
});

Deno.test("readers of different workflows or of one stream, or one that starts later, have connections of their own", async () => {
  await withClient(async ({ client, tell, opened }) => {
    await tell({ write: 1 }, "end");
    const both = await Promise.all([client.readStream("w", "log").collect(), client.readStream("w", "log").collect()]);
    assert.deepEqual(both.map(({ values }) => values), [[1], [1]]);
    const lost = client.readStream("x", "log").collect().catch((error) => error.code);
    assert.deepEqual([(await client.readStream("w", "log").collect()).values, await lost], [[1], "workflow_not_found"]);
    assert.deepEqual(opened.map((it) => it.split("?")[0]), Array(3).fill("/w/streams/log"));
  });
});

Deno.test("readers that share a connection lose nothing and get nothing twice, wherever it is cut", async () => {
  for (const how of ["ends", "breaks"]) {
    let left = 1;
    const cutting = () =>
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          const most = left;
          for (let at = 0; at < chunk.length && at < most; at++) controller.enqueue(chunk.slice(at, at + 1));
          if (chunk.length <= most) return;
          left += 37;
          if (how === "ends") controller.terminate();
          else controller.error(new TypeError("connection reset"));
        },
      });
    await withClient(async ({ client, tell, opened }) => {
      await tell({ many: 5 }, { write: "b", to: "b" }, { set: "s" }, "end");
      const [log, b, state] = await Promise.all([
        client.readStream("w", "log").collect(),
        client.readStream("w", "b").collect(),
        Array.fromAsync(client.watchEvent("w", "state")),
      ]);
      assert.deepEqual([log.values, b.values, state], [[0, 1, 2, 3, 4], ["b"], ["s"]]);
      assert(opened.length > 3 && opened.every((it) => it.startsWith("/w/live?")), opened.join("\n"));
    }, { change: (it) => new Response(it.body!.pipeThrough(cutting()), it) });
  }
});

Deno.test("a reader that leaves does not disturb the others, and the last one closes the connection", async () => {
  await withClient(async ({ client, tell, opened, open }) => {
    const handle = client.handle("w");
    const leaving = new AbortController();
    const [a, b, state] = start<unknown>(
      handle.readStream("a"),
      handle.readStream("b", { signal: leaving.signal }),
      handle.watchEvent("state"),
    );
    const first = [a!.next(), b!.next(), state!.next()];
    await tell({ write: 1, to: "a" }, { write: 1, to: "b" }, { set: 1 });
    assert.deepEqual((await Promise.all(first)).map(({ value }) => value), [1, 1, 1]);
    const second = [a!.next(), state!.next()];
    const left = assert.rejects(async () => await b!.next(), { name: "AbortError" });
    leaving.abort();
    await left;
    await tell({ write: 2, to: "a" }, { set: 2 });
    assert.deepEqual((await Promise.all(second)).map(({ value }) => value), [2, 2]);
    assert.deepEqual(opened, [
      "/w/live?stream=a&stream=b&event=state&after=0.0.0",
      "/w/live?stream=a&event=state&after=1.1",
    ]);
    await a!.return?.();
    await state!.return?.();
    await until(() => open() === 0);
  });
});

Deno.test("a reader that stops does not hold up the others, keeps a bounded number of values, and misses none", async () => {
  await withClient(async ({ client, tell, opened }) => {
    await tell({ many: 500 }, { write: 0, to: "b" });
    const [slow, quick] = start<unknown>(client.readStream("w", "log"), client.readStream("w", "b"));
    assert.deepEqual((await Promise.all([slow!.next(), quick!.next()])).map(({ value }) => value), [0, 0]);
    const waiting = quick!.next();
    await tell({ write: 1, to: "b" }, "end");
    assert.equal((await waiting).value, 1);
    assert.equal((await quick!.next()).done, true);
    const rest = await take(slow!, 499);
    assert.deepEqual(rest, Array.from({ length: 499 }, (_, n) => n + 1));
    assert.equal((await slow!.next()).done, true);
    const [, alone] = opened.filter((it) => !it.startsWith("/w/streams/b"));
    const from = Number(/^\/w\/streams\/log\?from=(\d+)$/.exec(alone!)?.[1]);
    assert(from > 50 && from < 400, opened.join("\n"));
  });
});

Deno.test("a stream that is closed ends while the others go on over the same connection", async () => {
  await withClient(async ({ client, tell, opened }) => {
    const reading = client.readStream("w", "log").collect();
    const [state] = start(client.watchEvent("w", "state"));
    const first = state!.next();
    await tell({ write: 1 }, "close", { set: 1 });
    assert.deepEqual([(await reading).values, (await first).value], [[1], 1]);
    const second = state!.next();
    await tell({ set: 2 });
    assert.equal((await second).value, 2);
    await tell("end");
    assert.equal((await state!.next()).done, true);
    assert.equal(opened.length, 1);
  });
});

Deno.test("readers go on alone if one of them may not read, or there is no such workflow", async () => {
  const tokens = scopedTokens(SECRET);
  const token = await tokens.mint({ actions: ["stream", "event"], keys: ["log", "state"], expiresIn: "5m" });
  await withClient(async ({ client, tell, parley }) => {
    await tell({ write: 1 }, { set: 1 }, "end");
    const [log, secret, state] = await Promise.allSettled([
      Array.fromAsync(client.readStream("w", "log")),
      Array.fromAsync(client.readStream("w", "secret")),
      Array.fromAsync(client.watchEvent("w", "state")),
    ]);
    assert.deepEqual([log.status === "fulfilled" && log.value, state.status === "fulfilled" && state.value], [[1], [
      1,
    ]]);
    assert(secret.status === "rejected" && secret.reason instanceof DriverError);
    assert.match(secret.reason.message, /403 forbidden/);

    // An event is awaited before there is a workflow, and a stream is not.
    const [event] = start(client.watchEvent("later", "state"));
    const value = event!.next();
    await assert.rejects(Array.fromAsync(client.readStream("later", "log")), WorkflowNotFoundError);
    await parley.start("scribe", undefined, { workflowId: "later", enqueue: true });
    await parley.cancel("later");
    assert.equal((await value).done, true);
  }, { token, auth: anyOf(tokens) });
});

Deno.test("readers go on by short answers if a proxy holds live answers back", async () => {
  await withClient(async ({ client, tell, opened }) => {
    await tell({ write: 1 }, { set: 1 }, "end");
    const [log, state] = await Promise.all([
      Array.fromAsync(client.readStream("w", "log")),
      Array.fromAsync(client.watchEvent("w", "state")),
    ]);
    assert.deepEqual([log, state], [[1], [1]]);
    assert.equal(opened.length, 1);
  }, { change: (it) => (void it.body?.cancel(), new Response(new Blob([]).stream(), it)) });
});
