import assert from "node:assert/strict";
import { CommitQueue } from "../../../core/run/journal/commit_queue.ts";
import type { EffectOrWait, PendingOperation } from "../../../core/run/journal/operation.ts";
import { memoryDriver } from "../../../drivers/memory/mod.ts";
import { setEvent } from "../../../conformance/operations.ts";

function pending(label: string, action: PendingOperation["action"]): PendingOperation {
  return { position: 0, label, action, onResult: () => {} };
}

const event = (key: string) => setEvent(0, key, "1") as EffectOrWait;

Deno.test("an operation that is refused after the queue was cleared leaves later ones there", async () => {
  const queue = new CommitQueue(memoryDriver());
  const { promise, resolve } = Promise.withResolvers<EffectOrWait | void>();
  let ready = 0;
  queue.push(pending("refused", promise), () => ready++);
  queue.clear();
  queue.push(pending("later", event("k")), () => ready++);
  resolve();
  await promise;
  await Promise.resolve();
  assert.equal(ready, 2);
  assert.deepEqual(queue.take().map(({ label }) => label), ["later"]);
  assert(queue.isEmpty);
});

Deno.test("an operation whose value is still checked delays the ones behind it, until it is taken or refused", async () => {
  for (const [action, taken] of [[event("k"), ["first", "second"]], [undefined, ["second"]]] as const) {
    const queue = new CommitQueue(memoryDriver());
    const { promise, resolve } = Promise.withResolvers<EffectOrWait | void>();
    const ready = new Promise<void>((resolve) => queue.push(pending("first", promise), resolve));
    queue.push(pending("second", event("l")), () => {});
    assert.deepEqual([queue.isReady, queue.take()], [false, []]);
    resolve(action);
    await ready;
    assert(queue.isReady);
    assert.deepEqual(queue.take().map(({ label }) => label), taken);
  }
});
