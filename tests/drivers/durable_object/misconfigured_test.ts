import assert from "node:assert/strict";
import { type RunningWorker, startWorker, type WorkerOptions } from "../../support/workerd/mod.ts";

/** Starts a Worker without an entry point. */
async function start(options: Partial<WorkerOptions> = {}): Promise<RunningWorker> {
  const entry = "tests/drivers/durable_object/entries/misconfigured.ts";
  const worker = await startWorker({ entry, objects: { PARLEY: "ParleyObject" }, ...options });
  Deno.test.afterAll(() => worker[Symbol.asyncDispose]());
  return worker;
}

const workers = { now: await start(), before: await start({ date: "2025-01-01" }) };

async function answer(worker: RunningWorker): Promise<string> {
  return await (await worker.fetch("/")).text();
}

Deno.test({
  name: "an object whose alarm can call nobody says so once, with what is missing, and works",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    for (const worker of [workers.now, workers.before]) {
      for (let call = 0; call < 3; call++) assert.equal(await answer(worker), "null");
    }
    const warning = "Parley in a Durable Object: the alarm continues no workflows, because ";
    assert.deepEqual(workers.now.logs, [
      `${warning}the Worker has no export ParleyEntrypoint, which parleyEntrypoint() makes`,
    ]);
    assert.deepEqual(workers.before.logs, [
      `${warning}on compatibility dates before 2025-11-17, the Worker needs the service binding PARLEY_ENTRYPOINT to itself`,
    ]);
  },
});
