/**
 * Rules for events and streams, as workflows and readers see them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { stream } from "../../../core/channel.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const log = stream<number>("log");

/** Writes each message to the stream `log`, until a message is `null`. */
const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const values = await ctx.recv<number[] | null>();
    if (values === null) return;
    await Promise.all(values.map((value) => ctx.writeStream(log, value)));
  }
});

/** Events and streams. */
export const publishing: Rules<World> = {
  "step.writable() stores values in order, and those of a try before those of the next one": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("writing", async (step) => {
        const writer = step.writable(log).getWriter();
        for (let n = 0; n < 300; n++) void writer.write(1_000 * step.attempt + n);
        await writer.close();
        if (step.attempt === 1) throw new Error("again");
      }, { retries: 1, delay: 0 });
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    const { values } = await handle.readStream(log).collect();
    assert.deepEqual(values, [1_000, 2_000].flatMap((first) => Array.from({ length: 300 }, (_, n) => first + n)));
  },

  "getEvent() inside a workflow is recorded: a replay reads what was read, even if the event changed": async (
    world,
  ) => {
    const seen: unknown[] = [];
    const owner = workflow("owner", async (ctx) => {
      for (let n = 1; n <= 2; n++) {
        await ctx.setEvent("state", n);
        await ctx.recv();
      }
    });
    const reader = workflow("reader", async (ctx) => {
      seen.push(
        await ctx.getEvent("owner", "state"),
        await ctx.getEvent("owner", "none", { timeout: 0 }).catch((error) => error.code),
      );
      await ctx.recv();
      return await ctx.getEvent("owner", "state");
    });
    const { parley } = world.isolate(0, [owner, reader]);
    await parley.start(owner, undefined, { workflowId: "owner" });
    await world.until(parley.idle());
    const handle = await parley.start(reader, undefined);
    await world.until(parley.idle());
    await parley.send("owner", null);
    await world.until(parley.idle());
    await handle.send(null);
    assert.equal(await world.until(handle.result()), 2);
    assert.deepEqual(seen, [1, "timeout", 1, "timeout"]);
  },

  "getEvent() inside a workflow waits for a workflow that does not exist yet, suspended": async (world) => {
    const reader = workflow("reader", async (ctx) => await ctx.getEvent("later", "state"));
    const owner = workflow("owner", async (ctx) => await ctx.setEvent("state", null));
    const { parley } = world.isolate(0, [owner, reader]);
    const handle = await parley.start(reader, undefined);
    await world.until(parley.idle());
    await parley.start(owner, undefined, { workflowId: "later" });
    await world.until(parley.idle());
    assert.deepEqual([(await handle.status()).status, (await handle.status()).output], ["SUCCESS", null]);
  },

  "getEvent() from outside waits, also for a workflow that does not exist yet; any number at once": async (world) => {
    const owner = workflow("owner", async (ctx) => await ctx.setEvent("state", "set"));
    const { parley } = world.isolate(0, [owner]);
    const outside = world.isolate(1, []).parley;
    const leaving = new AbortController();
    const left = outside.getEvent<Error>("w", "state", { signal: leaving.signal }).catch((error) => error);
    const waiters = Array.from({ length: 20 }, () => outside.getEvent("w", "state"));
    const impatient = outside.getEvent("w", "state", { timeout: "1s" }).catch((
      error,
    ) => [error.code, error.operation, error.timeoutMs]);
    assert.deepEqual(await world.until(impatient), ["timeout", 'getEvent "state"', 1_000]);
    leaving.abort(new Error("left"));
    assert.equal((await world.until(left)).message, "left");
    await parley.start(owner, undefined, { workflowId: "w" });
    assert.deepEqual(new Set(await world.until(Promise.all(waiters))), new Set(["set"]));
    assert.equal(await outside.getEvent("w", "state", { timeout: 0 }), "set");
  },

  "getEvent() from outside of a workflow that has ended without the event rejects at once, also if it ends meanwhile":
    async (world) => {
      const owner = workflow("owner", async (ctx) => {
        if (await ctx.recv()) throw new Error("failed");
      });
      const { parley } = world.isolate(0, [owner]);
      const outside = world.isolate(1, []).parley;
      const ends = [["done", null, "SUCCESS"], ["failed", true, "ERROR"], [
        "cancelled",
        undefined,
        "CANCELLED",
      ]] as const;
      const code = (error: { code: string; status: string }) => [error.code, error.status];
      for (const [workflowId, message, status] of ends) {
        const handle = await parley.start(owner, undefined, { workflowId });
        const waiting = outside.getEvent(workflowId, "state", { timeout: "1h" }).catch(code);
        await world.until(parley.idle());
        if (message === undefined) await handle.cancel();
        else await handle.send(message);
        assert.deepEqual(await world.until(waiting), ["workflow_ended", status]);
        assert.deepEqual(await outside.getEvent(workflowId, "state", { timeout: 0 }).catch(code), [
          "workflow_ended",
          status,
        ]);
      }
    },

  "watchEvent() yields the current value and later ones, and ends with the workflow": async (world) => {
    const owner = workflow("owner", async (ctx) => {
      for (let n = 1; n <= 3; n++) {
        await ctx.setEvent("state", n);
        await ctx.recv();
      }
      await ctx.setEvent("state", "last");
    });
    const { parley } = world.isolate(0, [owner]);
    const handle = await parley.start(owner, undefined);
    const seen: unknown[] = [];
    const watching = (async () => {
      for await (const value of world.isolate(1, []).parley.watchEvent(handle.workflowId, "state")) seen.push(value);
    })();
    for (let n = 1; n <= 3; n++) {
      await world.untilTrue(() => seen.at(-1) === n);
      await handle.send(null);
    }
    await world.until(watching);
    assert.deepEqual(seen, [1, 2, 3, "last"]);
  },

  "watchEvent() and getEventEntry() after a version that does not exist yet reject, and name the current version":
    async (
      world,
    ) => {
      const owner = workflow("owner", async (ctx) => {
        await ctx.setEvent("state", "first");
        await ctx.setEvent("state", "second");
        await ctx.recv();
        await ctx.setEvent("state", "third");
      });
      const { parley } = world.isolate(0, [owner]);
      const handle = await parley.start(owner, undefined, { workflowId: "w" });
      await world.until(parley.idle());
      const outside = world.isolate(1, []).parley;
      const refused = async (workflowId: string, key: string, after: number, version: number) => {
        const error = { code: "version_out_of_range", workflowId, key, after, version };
        await assert.rejects(
          world.until(outside.watchEvent(workflowId, key, { after })[Symbol.asyncIterator]().next()),
          error,
        );
        await assert.rejects(world.until(outside.getEventEntry(workflowId, key, { after })), error);
      };
      await refused("w", "state", 3, 2);
      await refused("w", "none", 1, 0);
      await refused("missing", "state", 1, 0);
      const seen: unknown[] = [];
      const watching = (async () => {
        for await (const entry of outside.watchEvent("w", "state", { after: 2 }).entries()) seen.push(entry);
      })();
      await world.pass(500);
      await handle.send(null);
      await world.until(watching);
      assert.deepEqual(seen, [{ version: 3, value: "third" }]);
      await refused("w", "state", 4, 3);
    },

  "100 concurrent writes get dense offsets in the order in which they were issued": async (world) => {
    const { parley, driver } = world.isolate(0, [scribe]);
    const handle = await parley.start(scribe, undefined);
    await world.until(parley.idle());
    const before = driver.calls;
    const values = Array.from({ length: 100 }, (_, n) => n);
    await parley.sendAll([{ destinationId: handle.workflowId, message: values }, {
      destinationId: handle.workflowId,
      message: null,
    }]);
    await world.until(parley.idle());
    // sendAll, claim, recv, the writes, recv, end
    assert.equal(driver.calls - before, 6);
    const entries = [];
    for await (const entry of handle.readStream(log).entries()) entries.push(entry);
    assert.deepEqual(entries, values.map((value) => ({ offset: value, value })));
  },

  "readers follow a stream live, each from its own offset, until its workflow ends": async (world) => {
    const { parley } = world.isolate(0, [scribe]);
    const handle = await parley.start(scribe, undefined);
    const outside = world.isolate(1, []).parley;
    const read = (from: number) => outside.readStream(handle.workflowId, log, { from }).collect();
    const reads = [read(0)];
    for (const values of [[0, 1, 2], [3], [4, 5, 6]]) {
      await handle.send(values);
      await world.until(parley.idle());
      await world.pass(500);
      reads.push(read(values.at(-1)!));
    }
    await assert.rejects(read(8), { code: "offset_out_of_range", offset: 8, end: 7 });
    assert.deepEqual(await outside.readStream(handle.workflowId, log, { from: 5, wait: false }).collect(), {
      values: [5, 6],
      closed: false,
      nextOffset: 7,
    });
    await handle.send(null);
    assert.deepEqual(await world.until(Promise.all(reads)), [
      { values: [0, 1, 2, 3, 4, 5, 6], closed: true, nextOffset: 7 },
      { values: [2, 3, 4, 5, 6], closed: true, nextOffset: 7 },
      { values: [3, 4, 5, 6], closed: true, nextOffset: 7 },
      { values: [6], closed: true, nextOffset: 7 },
    ]);
  },

  "closeStream() ends the stream for good, and each later write or close is refused alone": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const refused = (operation: Promise<void>) => operation.then(() => "done", (error) => [error.code, error.key]);
      const outcomes = await Promise.all([
        ctx.writeStream(log, 1),
        ctx.closeStream(log),
        refused(ctx.writeStream(log, 2)),
        refused(ctx.closeStream(log)),
        refused(ctx.writeStream("other", 3)),
      ]);
      await ctx.recv();
      return outcomes.slice(2);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    assert.deepEqual(await handle.readStream(log).collect(), { values: [1], closed: true, nextOffset: 1 });
    await handle.send(null);
    assert.deepEqual(await world.until(handle.result()), [["stream_closed", "log"], ["stream_closed", "log"], "done"]);
  },

  "after resume() the streams that were not closed are open again, and offsets go on": async (world) => {
    const { parley } = world.isolate(0, [scribe]);
    const handle = await parley.start(scribe, undefined);
    await handle.send([0, 1]);
    await world.until(parley.idle());
    await handle.cancel();
    assert.deepEqual(await handle.readStream(log).collect(), { values: [0, 1], closed: true, nextOffset: 2 });
    await parley.resume(handle.workflowId);
    const reading = handle.readStream(log, { from: 1 }).collect();
    await handle.send([2]);
    await handle.send(null);
    assert.deepEqual(await world.until(reading), { values: [1, 2], closed: true, nextOffset: 3 });
  },

  "a stream of 2,500 values is read in batches, and as a ReadableStream only as fast as it is read": async (world) => {
    const { parley } = world.isolate(0, [scribe]);
    const handle = await parley.start(scribe, undefined);
    const values = Array.from({ length: 2_500 }, (_, n) => n);
    for (let from = 0; from < values.length; from += 500) await handle.send(values.slice(from, from + 500));
    await handle.send(null);
    await world.until(handle.result());
    await world.until(parley.idle());
    const { parley: outside, driver } = world.isolate(1, []);
    assert.deepEqual((await outside.readStream(handle.workflowId, log).collect()).values, values);
    assert.equal(driver.calls, 3);
    const reader = outside.readStream(handle.workflowId, log).toReadableStream().getReader();
    for (let n = 0; n < 10; n++) assert.deepEqual(await reader.read(), { done: false, value: n });
    assert.equal(driver.calls, 4);
    await reader.cancel();
  },

  "reads of a workflow that does not exist say so": async (world) => {
    const { parley } = world.isolate(0, []);
    await assert.rejects(parley.readStream("nobody", log).collect(), {
      code: "workflow_not_found",
      workflowId: "nobody",
    });
  },
};
