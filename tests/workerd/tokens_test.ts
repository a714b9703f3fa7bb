import assert from "node:assert/strict";
import { startWorker } from "../support/workerd/mod.ts";

const worker = await startWorker({ entry: "tests/workerd/entries/tokens.ts" });
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

Deno.test({
  name: "step.writable() takes values as they are written, is piped to, and refuses what cannot be stored, in workerd",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const response = await worker.fetch("/");
    assert.deepEqual(await response.json(), { refused: "invalid_value", length: 1_100, inOrder: true });
    assert.deepEqual(worker.logs, []);
  },
});
