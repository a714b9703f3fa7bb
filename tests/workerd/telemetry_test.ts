import assert from "node:assert/strict";
import { STORY_TREE } from "../otel/story.ts";
import { treeOf } from "../otel/tree.ts";
import type { Span } from "../otel/sdk.ts";
import { startWorker } from "../support/workerd/mod.ts";

const worker = await startWorker({ entry: "tests/workerd/entries/telemetry.ts" });
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

async function spans(path: string, init?: RequestInit): Promise<Span[]> {
  const response = await worker.fetch(path, init);
  assert.equal(response.status, 200);
  return await response.json();
}

Deno.test({
  name: "otel() in workerd, which has no context manager, records the same as elsewhere, and the trace of a request",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    assert.deepEqual(treeOf(await spans("/story")), STORY_TREE);
    const recorded = await spans("/workflows", {
      method: "POST",
      headers: {
        authorization: "Bearer t0ken",
        "content-type": "application/json",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
      body: JSON.stringify({ workflow: "flow", input: 1 }),
    });
    assert.deepEqual(treeOf(recorded), ["start flow", "  run flow", "    step step"]);
    assert.deepEqual(new Set(recorded.map(({ traceId }) => traceId)), new Set(["0af7651916cd43dd8448eb211c80319c"]));
    assert.equal(recorded.find(({ name }) => name === "start flow")?.parentId, "b7ad6b7169203331");
    assert.deepEqual(worker.logs, []);
  },
});
