import type { Driver } from "../../../core/driver/driver.ts";
import assert from "node:assert/strict";
import { DriverError } from "../../../mod.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { type SentEvent, sentEvents, serve, take, until } from "../support/service.ts";

const LOG = "/workflows/w/streams/log";
const STATE = "/workflows/w/events/state";
const SSE = { accept: "text/event-stream" };

/** A service whose store is away for as long as it is told to be. */
async function withOutage(options: { heartbeat?: number } = {}) {
  const harness = await memoryHarness();
  let away = false;
  const failing =
    <Request, Result>(call: (request: Request) => Promise<Result>) => async (request: Request): Promise<Result> => {
      if (away) throw new DriverError("The store is away (injected)", { retryable: true });
      return await call(request);
    };
  const driver = (inner: Driver): Driver => ({
    ...inner,
    readStream: failing(inner.readStream),
    readEvent: failing(inner.readEvent),
    readWorkflow: failing(inner.readWorkflow),
  });
  const service = await serve(harness, { ...options, driver });
  const dispose = async () => {
    await service[Symbol.asyncDispose]();
    await harness[Symbol.asyncDispose]();
  };
  return { ...service, setAway: (is: boolean) => void (away = is), [Symbol.asyncDispose]: dispose };
}

/** The events of a whole body, without comments. */
async function eventsOf(response: Response): Promise<SentEvent[]> {
  return (await Array.fromAsync(sentEvents(response))).filter(({ comment }) => !comment);
}

Deno.test("a page that reconnects during an outage of the store gets a 200 with a pause, which ends at once", async () => {
  await using service = await withOutage();
  const { get, errors, setAway } = service;
  setAway(true);
  for (const path of [LOG, STATE]) {
    const response = await get(path, { ...SSE, "last-event-id": "end:0" });
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
    const [first, ...rest] = await eventsOf(response);
    const retry = Number(first?.retry);
    assert.deepEqual([retry >= 1_000 && retry < 2_000, rest], [true, []]);
  }
  assert(errors.length >= 2 && errors.every((it) => it instanceof DriverError));
});

Deno.test("a page that connects during an outage of the store stays connected, and gets later values", async () => {
  await using service = await withOutage({ heartbeat: 10 });
  const { get, write, setAway, tell } = service;
  await write("a");
  setAway(true);
  const response = await get(LOG, SSE);
  assert.equal(response.status, 200);
  const sent = sentEvents(response);
  await take(sent, 2, ({ comment }) => comment === true);
  setAway(false);
  const [value] = await take(sent, 1, ({ data }) => data !== undefined);
  assert.deepEqual(value, { id: "0", data: '"a"' });
  await sent.return(undefined);
  await tell("end");
});

Deno.test("a page that is ahead of its stream is told to start again, and gets all values", async () => {
  await using service = await withOutage();
  const { get, write, tell } = service;
  await write("a", "b");
  for (
    const [query, headers] of [["", { "last-event-id": "7" }], ["?from=9", {}], ["", {
      "last-event-id": "end:9",
    }]] as const
  ) {
    const sent = sentEvents(await get(`${LOG}${query}`, { ...SSE, ...headers }));
    const [reset, ...values] = await take(sent, 3, ({ event, data }) => event !== undefined || data !== undefined);
    assert.deepEqual([reset?.event, reset?.data], ["reset", '{"from":0}']);
    assert.deepEqual(values.map(({ id, data }) => [id, data]), [["0", '"a"'], ["1", '"b"']]);
    await sent.return(undefined);
  }
  // One that has seen all is not ahead.
  const sent = sentEvents(await get(LOG, { ...SSE, "last-event-id": "1" }));
  await write("c");
  assert.deepEqual((await take(sent, 1, ({ data }) => data !== undefined))[0]?.data, '"c"');
  await sent.return(undefined);
  for (
    const [path, accept] of [
      [`${LOG}?from=9`, "application/json"],
      [`${LOG}?from=9`, "application/x-ndjson"],
      [`${LOG}?offset=9`, "*/*"],
      [`${LOG}?offset=9&live=sse`, "*/*"],
      [`${LOG}?offset=9&live=long-poll`, "*/*"],
    ] as const
  ) {
    const response = await get(path, { accept });
    const { code, end } = await response.json();
    assert.deepEqual([response.status, code, end], [416, "offset_out_of_range", 3], `${path} ${accept}`);
  }
  await tell("end");
  assert.equal((await eventsOf(await get(LOG, { ...SSE, "last-event-id": "end:9" }))).at(-1)?.event, "end");
});

Deno.test("a page that is ahead of its event is told to start again, and gets the current value", async () => {
  await using harness = await memoryHarness();
  await using service = await serve(harness);
  const { get, tell } = service;
  /** The first events for a page that has seen one: the kind, or the ID, and the data. */
  const connect = (seen: string) => get(STATE, { ...SSE, "last-event-id": seen });
  const comeBack = async (seen: string, count: number, response = connect(seen)) => {
    const sent = sentEvents(await response);
    const events = await take(sent, count, ({ data }) => data !== undefined);
    await sent.return(undefined);
    return events.map(({ event, id, data }) => [event ?? id, data]);
  };
  const reset = ["reset", '{"after":0}'];
  // Connected before there is a value.
  const early = await connect("1");
  await tell({ set: "a" });
  assert.deepEqual(await comeBack("1", 2, Promise.resolve(early)), [reset, ["1", '"a"']]);
  await tell({ set: "b" });
  for (const seen of ["3", "end:3", "9".repeat(15)]) {
    assert.deepEqual(await comeBack(seen, 2), [reset, ["2", '"b"']], seen);
  }
  const asked = sentEvents(await get(`${STATE}?after=3`, SSE));
  assert.deepEqual((await take(asked, 1, ({ data }) => data !== undefined))[0]?.event, "reset");
  await asked.return(undefined);
  for (const accept of ["application/json", "application/x-ndjson"]) {
    const response = await get(`${STATE}?after=3`, { accept });
    const { code, version } = await response.json();
    assert.deepEqual([response.status, code, version], [416, "version_out_of_range", 2], accept);
  }
  const inTime = comeBack("2", 1);
  await tell({ set: "c" });
  assert.deepEqual(await inTime, [["3", '"c"']]);
  await tell("end");
  for (const seen of ["4", "end:4"]) {
    assert.deepEqual(await comeBack(seen, 3), [reset, ["3", '"c"'], ["end", '{"version":3}']], seen);
  }
  assert.equal((await get(STATE, { ...SSE, "last-event-id": "end:3" })).status, 204);
});

Deno.test("a reader of large values that stands still has one piece made for it, and one read", async () => {
  const harness = await memoryHarness();
  let reads = 0;
  const service = await serve(harness, {
    driver: (inner) => ({ ...inner, readStream: async (request) => (reads++, await inner.readStream(request)) }),
  });
  await service.tell({ many: 40, padding: 50_000 });
  for (const accept of ["text/event-stream", "application/x-ndjson"]) {
    reads = 0;
    const reader = (await service.get(LOG, { accept })).body!.getReader();
    let longest = 0;
    for (let piece = 0; piece < 4; piece++) longest = Math.max(longest, (await reader.read()).value!.length);
    assert(longest < 2 * 2 ** 16 + 50_000, `${longest} bytes at once`);
    assert.equal(reads, 1);
    await reader.cancel();
  }
  await until(() => true);
  await service[Symbol.asyncDispose]();
  await harness[Symbol.asyncDispose]();
});
