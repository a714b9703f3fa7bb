/**
 * A story of hints that must work through every database client that listens. It runs in Deno and
 * in Bun.
 *
 * @module
 */

import type { Driver } from "@parley/parley/driver";
import assert from "node:assert/strict";

const PATIENCE_MS = 10_000;

/**
 * Watches an inbox until a message causes a hint, on an empty database.
 *
 * @param driver A driver that listens through the client, with a schema that does not exist.
 */
export async function tellOfHints(driver: Driver): Promise<void> {
  const workflowId = crypto.randomUUID();
  let hints = 0;
  const watch = driver.watch?.(`inbox:${workflowId}`, () => hints += 1);
  await until(() => watch?.live === true);
  const before = hints;
  await driver.create({ workflowId, name: "order", input: "null", owner: "owner", leaseMs: null });
  await driver.send([{ destinationId: workflowId, topic: "", messageId: "m", dedupeKey: "m", value: "1" }]);
  await until(() => hints > before);
  watch?.close();
  assert.equal(watch?.live, false);
}

async function until(condition: () => boolean): Promise<void> {
  for (const began = performance.now(); !condition(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    assert(performance.now() - began < PATIENCE_MS, `not within ${PATIENCE_MS} ms: ${condition}`);
  }
}
