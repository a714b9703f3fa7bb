/**
 * The reading side of the Durable Streams protocol, with the protocol's own client.
 *
 * @module
 */

import { DurableStream, stream as readDurable } from "@durable-streams/client";
import assert from "node:assert/strict";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { serve, type Service, type ServiceOptions, TOKEN, until } from "../support/service.ts";

const LOG = "/workflows/w/streams/log";

/** What the client is given, so that it reads from the app in this process. Each request it makes is noted. */
function options({ app }: Service, requests: URL[] = []) {
  const fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
    requests.push(new URL(String(input)));
    return await app.request(String(input), init);
  };
  return {
    url: `http://parley.test${LOG}`,
    headers: { authorization: `Bearer ${TOKEN}` },
    fetch: fetch as typeof globalThis.fetch,
  };
}

async function headOf(service: Service) {
  const head = await DurableStream.head(options(service));
  assert(head.exists);
  return head;
}

/** Registers the tests. */
export function durableStreamsClient(test: RegisterTest, makeHarness: MakeHarness): void {
  const rule: Rule = (name, run, options = {}) =>
    test(`Durable Streams: ${name}`, async () => {
      await using harness = await makeHarness();
      await using service = await serve(harness, options);
      await run(service);
    });
  once(rule);
  live(rule);
}

type Rule = (name: string, run: (service: Service) => Promise<void>, options?: ServiceOptions) => void;

function once(rule: Rule): void {
  rule("its client reads what is there", async (service) => {
    await service.write({ n: 1 }, [2], null, "three");
    const response = await readDurable({ ...options(service), live: false });
    assert.deepEqual(await response.json(), [{ n: 1 }, [2], null, "three"]);
    assert.deepEqual([response.upToDate, response.streamClosed, response.offset], [true, false, "0000000000000004"]);
    const rest = await readDurable({ ...options(service), live: false, offset: "0000000000000003" });
    assert.deepEqual(await rest.json(), ["three"]);
  });
  rule("its client asks where the end is", async (service) => {
    await service.write(1, 2);
    const { offset, contentType, streamClosed } = await headOf(service);
    assert.deepEqual({ offset, contentType, streamClosed }, {
      offset: "0000000000000002",
      contentType: "application/json",
      streamClosed: false,
    });
    await service.tell("close");
    assert.equal((await headOf(service)).streamClosed, true);
  });
  rule("its client is told that there is no such workflow", async (service) => {
    const url = "http://parley.test/workflows/nobody/streams/log";
    await assert.rejects(readDurable({ ...options(service), url }), { status: 404 });
  });
}

function live(rule: Rule): void {
  for (const mode of ["long-poll", "sse"] as const) {
    rule(`its client follows a stream to its end by ${mode}`, async (service) => {
      await service.write(0, 1);
      const requests: URL[] = [];
      const response = await readDurable<number>({ ...options(service, requests), live: mode });
      const seen: number[] = [];
      response.subscribeJson(({ items }) => void seen.push(...items));
      for (const value of [2, 3, 4]) {
        await until(() => seen.length === value);
        await service.write(value);
      }
      await service.tell("close");
      await response.closed;
      assert.deepEqual(seen, [0, 1, 2, 3, 4]);
      assert(requests.some(({ searchParams }) => searchParams.get("live") === mode), String(requests));
    });
    rule(
      `its client resumes by ${mode} where a connection or a poll was over, with nothing lost or twice`,
      async (service) => {
        const requests: URL[] = [];
        const response = await readDurable<number>({
          ...options(service, requests),
          live: mode,
          sseResilience: { minConnectionDuration: 0 },
        });
        const seen: number[] = [];
        response.subscribeJson(({ items }) => void seen.push(...items));
        for (let value = 0; value < 12; value++) {
          await until(() => requests.length > value);
          await service.write(value);
        }
        await service.tell("end");
        await response.closed;
        assert.deepEqual(seen, Array.from({ length: 12 }, (_, n) => n));
      },
      { maxWait: "20ms", maxConnection: "20ms" },
    );
  }
  rule("its client begins at the end, if it is told to", async (service) => {
    await service.write("old");
    const response = await readDurable<string>({ ...options(service), live: "long-poll", offset: "now" });
    const seen: string[] = [];
    response.subscribeJson(({ items }) => void seen.push(...items));
    await service.write("new");
    await service.tell("close");
    await response.closed;
    assert.deepEqual(seen, ["new"]);
  });
}
