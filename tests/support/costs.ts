/**
 * The cost of each operation in requests to the store.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Parley, type ParleyOptions, type Workflow, workflow, type WorkflowContext } from "../../mod.ts";
import type { Harness, RegisterTest } from "../../conformance/mod.ts";
import { World } from "../../conformance/workflows/world.ts";

/** A harness that counts what reaches the store. */
export interface CountingHarness extends Harness {
  /** How many requests the drivers have made. */
  requests(): number;
}

/** The cost of a call in a store that cannot do it in one request, and the reason. */
export interface Exception {
  readonly requests: number;
  readonly because: string;
}

/**
 * Registers the tests for the costs that `docs/architecture` of a driver promises.
 *
 * @param exceptions The calls from outside that cost more, by their names in the test.
 */
export function costs(
  test: RegisterTest,
  makeHarness: () => Promise<CountingHarness>,
  exceptions: Readonly<Record<string, Exception>> = {},
): void {
  const cost = (title: string, check: (counted: Counted) => Promise<void>) =>
    test(`${title}`, async () => {
      await using harness = await makeHarness();
      await harness.drivers[0].migrate();
      await check(new Counted(harness));
    });

  cost("start costs 1 request", async (counted) => {
    const flow = workflow("flow", async () => await new Promise(() => {}));
    const parley = counted.parley([flow]);
    assert.equal(await counted.during(() => parley.start(flow, undefined)), 1);
    assert.equal(await counted.during(() => parley.start("other", undefined, { enqueue: true })), 1);
  });

  const operations: Record<string, (ctx: WorkflowContext) => Promise<unknown>> = {
    "a step": (ctx) => ctx.step("step", () => 1),
    "now": (ctx) => ctx.now(),
    "uuid": (ctx) => ctx.uuid(),
    "patched": (ctx) => ctx.patched("p"),
    "setEvent": (ctx) => ctx.setEvent("event", 1),
    "writeStream": (ctx) => ctx.writeStream("stream", 1),
    "closeStream": (ctx) => ctx.closeStream("stream"),
    "send": (ctx) => ctx.send("other", 1),
    "recv that finds a message": (ctx) => ctx.recv(),
    "recvAny that finds a message": (ctx) => ctx.recvAny(["", "t"]),
    "getEvent that finds a value": (ctx) => ctx.getEvent("other", "state"),
    "a timeout of 0": (ctx) => ctx.recv("none", { timeout: 0 }).catch(() => {}),
    "100 writes issued together": (ctx) =>
      Promise.all(Array.from({ length: 100 }, (_, n) => ctx.writeStream("stream", n))),
    "different operations issued together": (ctx) =>
      Promise.all([
        ctx.step("step", () => 1),
        ctx.setEvent("event", 1),
        ctx.writeStream("stream", 1),
        ctx.send("other", 1),
        ctx.recv(),
        ctx.now(),
      ]),
  };
  for (const [name, operation] of Object.entries(operations)) {
    cost(`in a workflow, ${name} costs 1 request`, async (counted) => {
      let requests = 0;
      const other = workflow("other", async (ctx) => {
        await ctx.setEvent("state", 1);
        await ctx.recv("never");
      });
      const flow = workflow("flow", async (ctx) => {
        requests = counted.requests();
        await operation(ctx);
        requests = counted.requests() - requests;
      });
      const parley = counted.parley([flow, other], { wake: "none" });
      await parley.start(other, undefined, { workflowId: "other" });
      await counted.idle(parley);
      const handle = await parley.start(flow, undefined, { enqueue: true });
      await handle.send("a message");
      await counted.world.until(parley.sweep());
      assert.equal((await handle.status()).status, "SUCCESS");
      assert.equal(requests, 1);
    });
  }

  cost("a child costs 1 request to start, and 1 a look for its result", async (counted) => {
    const child = workflow("child", () => "done");
    let requests = 0;
    const flow = workflow("flow", async (ctx) => {
      requests = counted.requests();
      await ctx.start(child, undefined, { workflowId: "child" });
      requests = counted.requests() - requests;
    });
    const parley = counted.parley([flow, child], { wake: "none" });
    await parley.start(flow, undefined);
    await counted.idle(parley);
    assert.equal(requests, 1);
  });

  cost("a wait costs 1 request, then 1 a look; a suspend costs 1, a suspended wait none, an end 1", async (counted) => {
    const flow = workflow("flow", async (ctx) => await ctx.recv("news"));
    const parley = counted.parley([flow], { hotWait: 0, wake: "none" });
    const handle = await parley.start(flow, undefined);
    const waiting = await counted.during(() => counted.idle(parley));
    assert.equal(waiting, 2, "the first look, and the suspend that looks for the last time");
    assert.equal(await counted.during(() => counted.world.pass(60_000)), 0);
    await handle.send("hello", { topic: "news" });
    assert.equal(
      await counted.during(() => counted.world.until(parley.wake([handle.workflowId]))),
      3,
      "claim, look, end",
    );
  });

  cost("an empty workflow costs 2 requests: start and end", async (counted) => {
    const flow = workflow("flow", () => 1);
    const parley = counted.parley([flow]);
    const requests = await counted.during(async () => {
      await parley.start(flow, undefined);
      await counted.idle(parley);
    });
    assert.equal(requests, 2);
  });

  cost("operations that nobody awaits travel with the end", async (counted) => {
    const flow = workflow("flow", (ctx) => void ctx.setEvent("event", 1));
    const parley = counted.parley([flow]);
    const requests = await counted.during(async () => {
      await parley.start(flow, undefined);
      await counted.idle(parley);
    });
    assert.equal(requests, 2);
  });

  cost("a take-over with a journal of 1,000 entries costs 1 request, and replays without any", async (counted) => {
    let requests = 0;
    const flow = workflow("flow", async (ctx) => {
      for (let batch = 0; batch < 10; batch++) {
        await Promise.all(Array.from({ length: 100 }, (_, n) => ctx.step(`${n}`, () => n)));
      }
      requests = counted.requests();
      await ctx.recv("news");
    });
    const parley = counted.parley([flow], { hotWait: 0, wake: "none" });
    const handle = await parley.start(flow, undefined);
    await counted.idle(parley);
    await handle.send("hello", { topic: "news" });
    const before = counted.requests();
    await counted.world.until(parley.wake([handle.workflowId]));
    assert.equal(requests - before, 1);
  });

  cost("from outside, each operation costs 1 request", async (counted) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.setEvent("state", 1);
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => ctx.writeStream("log", n)));
      await ctx.recv("never");
    });
    const parley = counted.parley([flow], { hotWait: 0, wake: "none" });
    const handle = await parley.start(flow, undefined);
    await counted.idle(parley);
    const { workflowId } = handle;
    const calls: Record<string, () => Promise<unknown>> = {
      send: () => handle.send(1),
      sendAll: () =>
        parley.sendAll(Array.from({ length: 20 }, (_, message) => ({ destinationId: workflowId, message }))),
      getEvent: () => handle.getEvent("state"),
      "getEvent until an instant": () => handle.getEvent("state", { until: Date.now() }),
      "result until an instant that has passed": () => handle.result({ until: 1, otherwise: null }),
      "a batch of 1,000 values": () => handle.readStream("log", { wait: false }).collect(),
      status: () => handle.status(),
      list: () => parley.list(),
      cancel: () => handle.cancel(),
      resume: () => parley.resume(workflowId),
      purge: () => parley.purge({ olderThan: "1d" }),
    };
    assert.deepEqual(Object.keys(exceptions).filter((name) => !(name in calls)), [], "an exception of nothing");
    for (const [name, call] of Object.entries(calls)) {
      const { requests, because } = exceptions[name] ?? { requests: 1, because: "every call is one request" };
      assert.equal(await counted.during(call), requests, `${name}: ${because}`);
    }
  });
}

/** Counts requests around calls. */
class Counted {
  readonly world: World;
  readonly #harness: CountingHarness;

  constructor(harness: CountingHarness) {
    this.#harness = harness;
    this.world = new World(harness);
  }

  parley(workflows: readonly Workflow<unknown, unknown>[], options: Partial<ParleyOptions> = {}): Parley {
    return new Parley({ driver: this.#harness.drivers[0], workflows, clock: this.#harness.clock, ...options });
  }

  requests(): number {
    return this.#harness.requests();
  }

  async idle(parley: Parley): Promise<void> {
    await this.world.until(parley.idle());
  }

  async during(code: () => Promise<unknown>): Promise<number> {
    const before = this.requests();
    await code();
    return this.requests() - before;
  }
}
