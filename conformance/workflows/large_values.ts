/**
 * Rules for values that are large on their way to the store and back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

/**
 * Just below the limit of an encoded value, and several times as long with the escapes of the
 * transport.
 */
const QUOTES = '"'.repeat(499_950);

/** Large values. */
export const largeValues: Rules<World> = {
  "values that are too large for one request together travel in several": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await Promise.all([1, 2, 3, 4].map(() => ctx.writeStream("log", QUOTES)));
      return QUOTES;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), QUOTES);
    assert.deepEqual(
      (await handle.readStream<string>("log").collect()).values.map((it) => it === QUOTES),
      Array(4).fill(true),
    );
  },

  "messages that are too large for one answer together are received side by side, in order": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const received = await Promise.all(Array.from({ length: 8 }, () => ctx.recv<string>("large", { timeout: "1m" })));
      await ctx.recv("replay");
      return received.map((it) => [it[0], it.length]);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    for (let n = 0; n < 8; n++) await handle.send(`${n}${QUOTES}`, { topic: "large" });
    await world.until(parley.idle());
    await handle.send(null, { topic: "replay" });
    assert.deepEqual(
      await world.until(handle.result()),
      Array.from({ length: 8 }, (_, n) => [`${n}`, QUOTES.length + 1]),
    );
  },

  "a value that can never travel is refused before anything is written, inside and outside of workflows": async (
    world,
  ) => {
    const { limits } = world.harness.drivers[0];
    // A larger value would take too much time.
    if (!limits || limits.requestBytes > 2 ** 24) return;
    const tooLarge = '"'.repeat(Math.ceil(limits.requestBytes / limits.bytesOf('\\"')) + 1);
    const flow = workflow("flow", async (ctx) => {
      const codes: unknown[] = [];
      for (
        const write of [
          () => ctx.setEvent("state", tooLarge),
          () => ctx.step("make", () => tooLarge),
          () => ctx.writeStream("log", tooLarge),
        ]
      ) {
        codes.push(await write().then(() => "written", (error) => error.code));
      }
      await ctx.recv();
      return codes;
    });
    const { parley } = world.isolate(0, [flow], { maxValueBytes: 2 ** 26 });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await assert.rejects(handle.send(tooLarge), { code: "value_too_large" });
    await assert.rejects(parley.start(flow, tooLarge as never, { workflowId: "other" }), { code: "value_too_large" });
    const half = tooLarge.slice(tooLarge.length / 2);
    await assert.rejects(
      parley.sendAll([1, 2, 3].map(() => ({ destinationId: handle.workflowId, message: half }))),
      { code: "value_too_large", limit: limits.requestBytes },
    );
    await handle.send("small");
    assert.deepEqual(await world.until(handle.result()), Array(3).fill("value_too_large"));
    assert.equal((await handle.readStream("log").collect()).nextOffset, 0);
  },
};
