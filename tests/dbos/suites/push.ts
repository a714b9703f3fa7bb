/**
 * Waits that hear from an app by LISTEN, over PostgreSQL and over Neon's WebSocket.
 *
 * @module
 */

import assert from "node:assert/strict";
import { openDbosAtNeon, openDbosOverQueryable } from "../../../dbos/open.ts";
import { delay as delayBy, systemClock } from "../../../core/time/clock.ts";
import { DBOS_PUSH_TIMING } from "../../../dbos/push.ts";
import { atNeon } from "../../drivers/neon/support/harness.ts";
import type { SharedServer } from "../../drivers/neon/support/shared_server.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** Connects at once, and looks so seldom that only a hint can help. */
const TIMING = { ...DBOS_PUSH_TIMING, openAfterMs: 0, lingerMs: 0, lookMs: 60_000 };

const delay = (ms: number) => delayBy(systemClock, ms);

/** Registers the tests. */
export function pushSuite(settings: readonly Setting[], neon: SharedServer): void {
  const openers = {
    "a pool": ({ pool }: Setting) => openDbosOverQueryable(pool, { listen: true }, { timing: TIMING }),
    "Neon": ({ url }: Setting) => openDbosAtNeon(atNeon(url), { endpoint: neon }, { timing: TIMING }),
  };
  for (const [name, open] of Object.entries(openers)) {
    testEach(settings, `events and stream values are heard of through ${name}`, async (setting) => {
      const { client, push } = open(setting);
      const id = `push::${name}::${setting.version}`;
      const first = client.getEvent(id, "state");
      await client.start("states", undefined, { workflowId: id });
      // Long enough for the wait to listen, and to have stopped polling often.
      await delay(300);
      await client.send(id, "a", { topic: "state" });
      assert.equal(await first, "a");
      // This version has a trigger in place of the app's own notice, and only for a new key.
      if (setting.version !== "4.20.11") {
        const second = client.getEventEntry(id, "state", { after: 1 });
        await delay(300);
        await client.send(id, "b", { topic: "state" });
        assert.deepEqual(await second, { value: "b", version: 2 });
      }
      await client.cancel(id);

      const live = await client.start("publish", { count: 20, pauseMs: 20 });
      const values = (await client.readStream(live.workflowId, "numbers").collect()).values;
      assert.equal(values.length, 20);
      await push!.idle;
    });
  }
}
