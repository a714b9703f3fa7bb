import assert from "node:assert/strict";
import { startWorker } from "../support/workerd/mod.ts";
import type { Told } from "./entries/rejections.ts";

const worker = await startWorker({ entry: "tests/workerd/entries/rejections.ts" });
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

/** The library's own errors, and what they cause in the code of the workflows. */
const OWN =
  /^(ContextError|WorkflowCancelledError|LeaseLostError|TimeoutError: step "timed out"|AggregateError: All promises were rejected$|Error: The helper has failed$)/;

async function told(path: string): Promise<Told> {
  const response = await worker.fetch(path);
  assert.equal(response.status, 200);
  return await response.json();
}

Deno.test({
  name:
    "a cancelled, lost or returned workflow, and a step whose time is up, leave no unhandled rejection in workerd, and others stay unhandled",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    // The library's listener is there from the first on. workerd's event cannot be prevented, so listeners that were there before hear of it.
    const { cleaned, unhandled } = await told("/abandon");
    assert.deepEqual(cleaned, ["cancel", "lose"]);
    assert.deepEqual(unhandled.filter((it) => !OWN.test(it)), []);
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(await told("/abandon"), { cleaned: ["cancel", "lose"], unhandled: [] });
      assert.equal(await (await worker.fetch("/echo")).json(), "alive");
    }
    assert.deepEqual(await told("/foreign"), { cleaned: [], unhandled: ["TypeError: of the user's own"] });
    assert.deepEqual(worker.logs, []);
  },
});
