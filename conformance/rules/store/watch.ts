/**
 * Rules for push, if a driver has it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import type { Driver, Watch, WatchTarget } from "../../../core/driver/driver.ts";
import type { Harness } from "../../harness.ts";
import {
  closeStream,
  end,
  park,
  pause,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  SUSPEND,
  writeStream,
  YIELD,
} from "../../operations.ts";
import { newMessage, newWorkflow } from "../../requests.ts";
import { begin, beginSuspended, cancel, type DrivenRun, enqueue, resume, take } from "../../driven_run.ts";
import { type Rules, rulesFor } from "../../suite.ts";

/**
 * How long a hint may take before it counts as lost. In real time, because a store pushes over a
 * connection.
 */
const PATIENCE_MS = 5_000;

type Watching = Driver & Required<Pick<Driver, "watch">>;

const pushRules: Readonly<Record<string, (harness: Harness, driver: Watching) => Promise<void>>> = {
  "watch() of an inbox hints when a message, a cancel or a resume comes": async ({ drivers: [a, b] }, driver) => {
    const run = await begin(b, "w");
    const sender = await begin(a, "sender");
    await using hints = await Hints.of(driver, "inbox:w");
    await hints.after("message", () => b.send([newMessage("w", { topic: "t" })]));
    await hints.after("message from a workflow", () => sender.held([send(0, newMessage("w"))]));
    await hints.after("message from a step", () => sender.held([send(null, newMessage("w"))]));
    await run.suspend([receive(0, ["u"])]);
    await hints.after("message that wakes", () => b.send([newMessage("w", { topic: "u" })]));
    await hints.after("cancel", () => cancel(b, "w"));
    await hints.after("resume", () => resume(b, "w"));
  },

  "watch() of events, of streams or of the result hints at these and at each new status": async (
    { drivers: [, b] },
    driver,
  ) => {
    await using event = await Hints.of(driver, "event:w");
    await using stream = await Hints.of(driver, "stream:w");
    await using result = await Hints.of(driver, "result:w");
    const all = [event, stream, result];
    const afterStatus = <T>(what: string, act: () => Promise<T>) =>
      all.reduce((inner, hints) => () => hints.after(what, inner), act)();
    await afterStatus("enqueued", () => enqueue(b, "w"));
    let run: DrivenRun = await afterStatus("claimed", () => take(b, "w"));
    const before = all.map(({ count }) => count);
    await event.after("event", () => run.held([setEvent(0, "k", "v")]));
    await event.after("event from a step", () => run.held([setEvent(null, "k", "v")]));
    await event.after("event beside another operation", () => run.held([setEvent(1, "k", "v"), record(2, "r")]));
    assert.deepEqual([stream.count, result.count], before.slice(1), "an event is no stream value");
    const ofEvents = event.count;
    await stream.after("value", () => run.held([writeStream(3, "s", "v")]));
    await stream.after("value from a step", () => run.held([writeStream(null, "s", "v")]));
    await stream.after("value beside another operation", () => run.held([writeStream(4, "s", "v"), record(5, "r")]));
    await stream.after("close", () => run.held([closeStream(6, "s")]));
    assert.deepEqual([event.count, result.count], [ofEvents, before[2]], "a stream value is no event");
    await afterStatus("cancel", () => cancel(b, "w"));
    await afterStatus("resume", () => resume(b, "w"));
    run = await take(b, "w");
    await afterStatus("end", () => run.end());
    await using started = await Hints.of(driver, "result:child");
    const parent = await begin(b, "parent");
    await started.after("started", () => parent.held([start(0, newWorkflow("child"))]));
  },

  "watch() hints for each workflow of many that start or end at once": async ({ drivers: [, b] }, driver) => {
    const ids = Array.from({ length: 40 }, (_, n) => `w${n}`);
    const all = await Promise.all(ids.map((id) => Hints.of(driver, `result:${id}`)));
    const afterAll = async <T>(what: string, act: (id: string) => Promise<T>): Promise<T[]> => {
      const before = all.map(({ count }) => count);
      const results = await Promise.all(ids.map(act));
      await until(() => all.every(({ count }, n) => count > before[n]!), `a hint for each ${what} came`);
      return results;
    };
    try {
      const runs = await afterAll("start", (id) => begin(b, id));
      await afterAll("end", (id) => runs[ids.indexOf(id)]!.end());
    } finally {
      for (const { watch } of all) watch.close();
    }
  },

  "watch() takes any workflow ID, and hints for it": async ({ drivers: [, b] }, driver) => {
    for (const workflowId of [":", "inbox:w", "due", "'; drop table x; --", "\u{1F600}".repeat(255)]) {
      const run = await begin(b, workflowId);
      await using inbox = await Hints.of(driver, `inbox:${workflowId}`);
      await using event = await Hints.of(driver, `event:${workflowId}`);
      await inbox.after("message", () => b.send([newMessage(workflowId)]));
      await event.after("event", () => run.held([setEvent(0, "k", "v")]));
    }
  },

  "watch() of due hints when any workflow becomes due": async ({ drivers: [, b] }, driver) => {
    await using hints = await Hints.of(driver, "due");
    await hints.after("enqueued", () => enqueue(b, "enqueued"));
    const run = await begin(b, "w");
    await hints.after("started", () => run.held([start(0, newWorkflow("child"))]));
    await beginSuspended(b, "suspended", [receive(0, [""])]);
    await hints.after("woken", () => b.send([newMessage("suspended")]));
    await run.suspend([receive(1, [""])]);
    const sender = await begin(b, "sender");
    await hints.after("woken by a workflow", () => sender.held([send(0, newMessage("w"))]));
    await hints.after("yielded", () => sender.released([], YIELD));
    await cancel(b, "sender");
    await hints.after("resumed", () => resume(b, "sender"));
  },

  "watch() of due hints when a workflow is suspended or parked until an instant that is near": async (
    { drivers: [a] },
    driver,
  ) => {
    await using hints = await Hints.of(driver, "due");
    const [asleep, paused, parked] = [await begin(a, "asleep"), await begin(a, "paused"), await begin(a, "parked")];
    await hints.after("suspended", () => asleep.suspend([receive(0, ["t"]), sleep(1, 3_000), sleep(2, 900_000)]));
    await hints.after("paused", () => paused.suspend([pause(0, 1, 9_000)]));
    await hints.after("parked", () => parked.released([], park("p", 9_000)));
  },

  "watch() hints every subscription, over both drivers": async ({ drivers }, driver) => {
    const [, b] = drivers;
    assert(canWatch(b));
    await using first = await Hints.of(driver, "event:w");
    await using second = await Hints.of(driver, "event:w");
    await using third = await Hints.of(b, "event:w");
    const run = await begin(driver, "w");
    await first.after(
      "event",
      () => second.after("event", () => third.after("event", () => run.held([setEvent(0, "k", "v")]))),
    );
  },

  "watch() does not run a hint inside the call that causes it": async (_harness, driver) => {
    let inside = false;
    let hinted = false;
    await using hints = await Hints.of(driver, "event:w", () => {
      hinted = true;
      assert.equal(inside, false);
    });
    await hints.after("created", () => {
      inside = true;
      const created = begin(driver, "w");
      inside = false;
      return created;
    });
    assert(hinted);
  },

  "watch() gives no hint after it was closed, and closing again does nothing": async ({ drivers: [, b] }, driver) => {
    const run = await begin(b, "w");
    await using open = await Hints.of(driver, "event:w");
    const closed = await Hints.of(driver, "event:w");
    closed.watch.close();
    closed.watch.close();
    assert.equal(closed.watch.live, false);
    const before = closed.count;
    await open.after("event", () => run.held([setEvent(0, "k", "v")], SUSPEND));
    await open.after("end", () => run.released([], end()));
    assert.equal(closed.count, before);
  },

  "watch() gives no hint that was on its way when it was closed": async ({ drivers: [, b] }, driver) => {
    assert(canWatch(b));
    const run = await begin(driver, "w");
    await using open = await Hints.of(b, "event:w");
    const closed = await Hints.of(driver, "event:w");
    const before = closed.count;
    await open.after("event", () => {
      const held = run.held([setEvent(0, "k", "v")]);
      closed.watch.close();
      return held;
    });
    assert.equal(closed.count, before);
  },
};

/** Push. */
export const watch: Rules = rulesFor(Object.entries(pushRules), ([title, check]) => ({
  [title]: async (harness) => {
    const [driver] = harness.drivers;
    if (canWatch(driver)) await check(harness, driver);
    else console.info(`exempt: "${title}": the driver has no watch(), so the core polls`);
  },
}));

function canWatch(driver: Driver): driver is Watching {
  return driver.watch !== undefined;
}

/** Counts the hints of one subscription. */
class Hints implements AsyncDisposable {
  readonly watch: Watch;
  count = 0;

  private constructor(driver: Watching, target: WatchTarget, onHint: () => void) {
    this.watch = driver.watch(target, () => {
      this.count += 1;
      onHint();
    });
  }

  /** Subscribes, and waits until hints can be expected. */
  static async of(driver: Watching, target: WatchTarget, onHint: () => void = () => {}): Promise<Hints> {
    const hints = new Hints(driver, target, onHint);
    await until(() => hints.watch.live, "the subscription is live");
    return hints;
  }

  /** Does something, and waits for the hint that it must cause. */
  async after<T>(what: string, act: () => Promise<T>): Promise<T> {
    const before = this.count;
    const result = await act();
    await until(() => this.count > before, `a hint for "${what}" came`);
    return result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.watch.close();
    return Promise.resolve();
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert(waited < PATIENCE_MS, `${what}: not within ${PATIENCE_MS} ms`);
    await delay(systemClock, 5);
  }
}
