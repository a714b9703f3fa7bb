/**
 * The statements of each operation.
 *
 * @module
 */

import assert from "node:assert/strict";
import { systemClock } from "../../../core/time/clock.ts";
import { openDbosOverQueryable } from "../../../dbos/open.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** Registers the tests. */
export function costsSuite(settings: readonly Setting[]): void {
  testEach(settings, "each operation is one statement, and the first one asks for the catalogue", async (setting) => {
    let statements = 0;
    const queryable = {
      query(text: string, params?: unknown[]) {
        statements++;
        return setting.pool.query(text, params);
      },
    };
    let shiftMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + shiftMs };
    const { client } = openDbosOverQueryable(queryable, {}, { clock });
    const shown = await setting.client.start("publish", { count: 100 });
    await shown.result();
    const waiting = await setting.client.start("waiting", {}, { queue: "nobody takes this" });
    const [ended, id] = [shown.workflowId, waiting.workflowId];
    const message = { destinationId: id, message: 1, topic: "x" };
    // These do not depend on the version of DBOS.
    const operations: Record<string, () => Promise<unknown>> = {
      send: () => client.send(id, 1),
      sendAll: () => client.sendAll(Array.from({ length: 100 }, (_, n) => ({ ...message, idempotencyKey: `${n}` }))),
      getEvent: () => client.getEvent(ended, "none", { timeout: 0, otherwise: null }).catch(() => {}),
      getEventEntry: () => client.getEventEntry(ended, "none", { timeout: 0 }).catch(() => {}),
      readStream: async () => assert.equal((await client.readStream(ended, "numbers").collect()).values.length, 100),
      history: () => client.history(ended),
      events: () => client.events(ended),
      streams: () => client.streams(ended),
    };
    const counted: Record<string, number> = {};
    const count = async (name: string, run: () => Promise<unknown>) => {
      statements = 0;
      await run();
      counted[name] = statements;
    };
    for (const [name, run] of Object.entries(operations)) await count(name, run);
    await count("catalogue and status", () => client.status(id));
    // These do.
    const later: Record<string, () => Promise<unknown>> = {
      status: () => client.status(id),
      result: () => client.result(ended),
      messages: () => client.messages(id, { state: "all" }),
      list: () => client.list({ include: "values" }),
      start: () => client.start("waiting", {}, { queue: "nobody takes this" }),
      cancel: () => client.cancel(id, { children: true }),
      resume: () => client.resume(id),
      "cancel again": () => client.cancel(id),
      delete: () => client.delete(id),
    };
    for (const [name, run] of Object.entries(later)) await count(name, run);
    shiftMs = 3_600_000;
    await count("list after an hour", () => client.list());
    const expected = Object.keys({ ...operations, ...later }).map((name) => [name, 1]);
    assert.deepEqual(counted, {
      ...Object.fromEntries(expected),
      "catalogue and status": 2,
      // An old DBOS may have got newer.
      "list after an hour": setting.version === settings[0]!.version ? 1 : 2,
    });
  });
}
