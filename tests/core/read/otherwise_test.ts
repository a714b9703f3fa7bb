import assert from "node:assert/strict";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import { type Clock, systemClock } from "../../../core/time/clock.ts";
import { connect } from "../../../http/client/client.ts";
import { memoryDriver, Parley, workflow } from "../../../mod.ts";

const waiting = workflow("waiting", async (ctx) => await ctx.recv<string>("go on"));
const failing = workflow("failing", () => Promise.reject(new Error("no")));

Deno.test("getEvent() and result() from outside take otherwise and until, over a store and over HTTP", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [waiting, failing] });
  const app = parleyHttp({ parley, auth: bearer("s3cret") });
  const remote = connect({
    url: "https://parley.test",
    token: "s3cret",
    fetch: async (url, init) => await app.request(url, init),
  });
  for (const client of [parley, remote]) {
    const handle = await client.start(waiting);
    const past = Date.now() - 1_000;
    const soon = () => new Date(Date.now() + 20);
    const results: (string | null)[] = [
      await handle.result({ timeout: 0, otherwise: null }),
      await handle.result({ until: past, otherwise: null }),
      await client.result<string, null>(handle.workflowId, { until: soon(), otherwise: null }),
      await handle.getEvent<string, null>("state", { timeout: 1, otherwise: null }),
      await client.getEvent<string, null>(handle.workflowId, "state", { until: soon(), otherwise: null }),
    ];
    assert.deepEqual(results, Array(5).fill(null));
    const undefinedOnes = [
      await handle.result({ until: past, otherwise: undefined }),
      await handle.getEvent("state", { until: past, otherwise: undefined }),
    ];
    assert.deepEqual(undefinedOnes, [undefined, undefined]);
    await assert.rejects(handle.result({ until: past }), { code: "timeout" });
    await assert.rejects(handle.getEvent("state", { until: past }), { code: "timeout" });
    await assert.rejects(handle.result({ until: past, timeout: "1h" }), { code: "timeout", until: past });
    await assert.rejects(handle.getEvent("state", { until: past + 3_600_000, timeout: 1 }), { timeoutMs: 1 });
    await assert.rejects(handle.result({ until: NaN, otherwise: 1 }), { code: "invalid_value" });
    await handle.send("on", { topic: "go on" });
    assert.equal(await handle.result({ until: Date.now() + 60_000, otherwise: null }), "on");
    const failed = await client.start(failing);
    await assert.rejects(failed.result({ otherwise: "not that" }), { code: "workflow_failed" });
  }
});

const HOUR_MS = 3_600_000;

Deno.test("the store's clock decides about until over HTTP, not the clock of the caller or of the server", async () => {
  for (const aheadMs of [-HOUR_MS, HOUR_MS]) {
    const clock: Clock = { now: () => systemClock.now() + aheadMs, after: systemClock.after };
    await using parley = new Parley({ driver: memoryDriver({ clock }), workflows: [waiting] });
    const app = parleyHttp({ parley, auth: bearer("s3cret") });
    const asked: string[] = [];
    const remote = connect({
      url: "https://parley.test",
      token: "s3cret",
      fetch: async (url, init) => (asked.push(url), await app.request(url, init)),
    });
    const handle = await remote.start(waiting, undefined, { enqueue: true });
    asked.length = 0;
    const until = clock.now() + 50;
    for (const wait of [() => handle.result({ until }), () => handle.getEvent("state", { until })]) {
      await assert.rejects(wait(), { code: "timeout", until });
      assert(clock.now() >= until, "not before");
    }
    assert.equal(asked.length, 2, "one request for each wait");
    const waitsOn = handle.result({ until: clock.now() + 60_000, otherwise: null });
    await handle.send("on", { topic: "go on" });
    await parley.sweep();
    assert.equal(await waitsOn, "on");
  }
});
