/**
 * Waits that hear from an app by LISTEN, over PostgreSQL and over Neon's WebSocket.
 *
 * @module
 */

import assert from "node:assert/strict";
import { openDbosAtNeon, openDbosOverQueryable } from "../../../dbos/open.ts";
import { delay as delayBy, systemClock } from "../../../core/time/clock.ts";
import type { Watch } from "../../../core/driver/driver.ts";
import type { PushConnection } from "../../../drivers/push.ts";
import { DBOS_PUSH_TIMING } from "../../../dbos/push.ts";
import { atNeon } from "../../drivers/neon/support/harness.ts";
import type { SharedServer } from "../../drivers/neon/support/shared_server.ts";
import { type Setting, testEach } from "../support/setting.ts";

/** Connects at once, and looks so seldom that only a hint ends a wait before its timeout. */
const TIMING = { ...DBOS_PUSH_TIMING, openAfterMs: 0, lingerMs: 0, lookMs: 3_600_000 };
const WAIT = { timeout: "60s" } as const;

const delay = (ms: number) => delayBy(systemClock, ms);

/** Holds push open, and waits until it is live. Waits that begin then do not poll. */
async function holdLive(push: PushConnection): Promise<Watch> {
  const watch = push.watch("event:nobody:nothing", () => {});
  const patience = AbortSignal.timeout(30_000);
  while (!watch.live) {
    patience.throwIfAborted();
    await delay(10);
  }
  return watch;
}

/** Registers the tests. */
export function pushSuite(settings: readonly Setting[], neon: SharedServer): void {
  const openers = {
    "a pool": ({ pool }: Setting) => openDbosOverQueryable(pool, { listen: true }, { timing: TIMING }),
    "Neon": ({ url }: Setting) => openDbosAtNeon(atNeon(url), { endpoint: neon }, { timing: TIMING }),
  };
  for (const [name, open] of Object.entries(openers)) {
    testEach(settings, `events and stream values are heard of through ${name}`, async (setting) => {
      const { client, push } = open(setting);
      const watch = await holdLive(push!);
      const id = `push::${name}::${setting.version}`;
      const first = client.getEvent(id, "state", WAIT);
      await client.start("states", undefined, { workflowId: id });
      // Long enough for the wait's first look.
      await delay(300);
      await client.send(id, "a", { topic: "state" });
      assert.equal(await first, "a");
      // This version has a trigger in place of the app's own notice, and only for a new key.
      if (setting.version !== "4.20.11") {
        const second = client.getEventEntry(id, "state", { ...WAIT, after: 1 });
        await delay(300);
        await client.send(id, "b", { topic: "state" });
        assert.deepEqual(await second, { value: "b", version: 2 });
      }
      await client.cancel(id);

      const live = await client.start("publish", { count: 20, pauseMs: 20 });
      const signal = AbortSignal.timeout(60_000);
      const values = (await client.readStream(live.workflowId, "numbers", { signal }).collect()).values;
      assert.equal(values.length, 20);
      assert(watch.live);
      watch.close();
      await push!.idle;
    });
  }
}
