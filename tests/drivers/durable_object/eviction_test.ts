import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { makeMemoryFolder } from "../../support/workerd/mod.ts";
import type { Seen } from "./entries/alarms.ts";
import { AlarmWorker } from "./support/alarms.ts";

const WORKFLOWS = 100;

/** Steps of 10 ms with pauses between them, by the workflows' IDs. */
const inputs = Object.fromEntries(Array.from({ length: WORKFLOWS }, (_, index) => [`w${index}`, 50 + 10 * index]));

function check(seen: readonly Seen[]): void {
  assert.deepEqual(seen.map(({ output }) => output), Array(WORKFLOWS).fill('["steady"]'));
}

const worker = await AlarmWorker.start();
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

Deno.test("an object that is reset again and again loses nothing, and its workflows end by themselves", async () => {
  const object = "reset";
  await worker.ask({ object, do: "start", workflow: "steady", enqueue: true, inputs });
  for (let resets = 0; resets < 40; resets++) {
    await delay(systemClock, 20 + Math.random() * 100);
    await worker.ask({ object, do: "reset" });
  }
  check(await worker.ended(object, WORKFLOWS));
});

Deno.test({
  name: "workflows go on by themselves after the runtime has ended, on the same folder",
  // Each runtime has connections of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const object = "restarted";
    const folder = await makeMemoryFolder();
    try {
      for (let starts = 0; starts < 3; starts++) {
        await using running = await AlarmWorker.start({ folder });
        if (starts === 0) await running.ask({ object, do: "start", workflow: "steady", enqueue: true, inputs });
        await delay(systemClock, 400);
      }
      // After the last start nobody calls the object before its workflows have had the time to end.
      await using last = await AlarmWorker.start({ folder });
      await delay(systemClock, 5_000);
      check(await last.ended(object, WORKFLOWS));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
