/**
 * Rules for schedules.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Parley } from "../../core/parley.ts";
import { type Schedule, schedule, type ScheduleOptions } from "../../core/schedule.ts";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

const MINUTE_MS = 60_000;

const quick = workflow("quick", (_ctx, input: unknown) => input);
const waits = workflow("waits", async (ctx) => await ctx.recv("end"));
const FLOWS = [quick, waits];

/** Scheduling. */
export const scheduling: Rules<World> = {
  "sweep() starts an occurrence once, however many isolates sweep": async (world) => {
    const schedules = [schedule("every minute", "* * * * *", quick, { input: "tick" })];
    const isolates = [world.isolate(0, FLOWS, { schedules }), world.isolate(1, FLOWS, { schedules })] as const;
    const { parley } = isolates[0];
    for (let round = 1; round <= 3; round++) {
      await Promise.all(isolates.flatMap((it) => [it.parley, it.parley]).map((it) => world.until(it.sweep())));
      await Promise.all(isolates.map((it) => world.idle(it)));
      const started = await occurrences(parley, "every minute");
      assert(started.length >= round && started.length <= round + 1, `${started.length} in round ${round}`);
      for (const { workflowId, createdAt } of started) {
        const at = Date.parse(workflowId.slice("every minute@".length));
        assert(at % MINUTE_MS === 0 && at <= createdAt && at > createdAt - MINUTE_MS - 30_000, workflowId);
        assert.equal(await world.until(parley.result(workflowId)), "tick");
      }
      await world.pass(MINUTE_MS);
    }
  },

  "of the occurrences that nobody swept for, only the latest is started": async (world) => {
    const { parley } = world.isolate(0, FLOWS, { schedules: [schedule("s", "* * * * *", quick)] });
    await world.until(parley.sweep());
    const before = (await occurrences(parley, "s")).length;
    await world.pass(20 * MINUTE_MS);
    await world.until(parley.sweep());
    assert.equal((await occurrences(parley, "s")).length, before + 1);
  },

  "an occurrence is started late only within `catchUp`": async (world) => {
    const hourly = await minutesAgo(world, 3);
    const catchUp = async (options: ScheduleOptions<unknown>) => {
      const { parley } = world.isolate(0, FLOWS, { schedules: [hourly(options)] });
      await world.until(parley.sweep());
      return (await occurrences(parley, "hourly")).length;
    };
    assert.equal(await catchUp({ catchUp: "1m" }), 0);
    assert.equal(await catchUp({ catchUp: "30m" }), 1);
    assert.equal(await catchUp({}), 1, "it was started before");
  },

  "with overlap: skip, nothing starts while the workflow before has not ended": async (world) => {
    const { parley } = world.isolate(0, FLOWS, {
      schedules: [schedule("skips", "* * * * *", waits, { overlap: "skip" }), schedule("allows", "* * * * *", waits)],
    });
    const sweep = async () => {
      await world.until(parley.sweep());
      await world.until(parley.idle());
      await world.pass(MINUTE_MS);
    };
    for (let round = 0; round < 3; round++) await sweep();
    const [first, ...others] = await occurrences(parley, "skips");
    assert.deepEqual(others, []);
    assert((await occurrences(parley, "allows")).length >= 3);
    await parley.send(first!.workflowId, null, { topic: "end" });
    await world.until(parley.result(first!.workflowId));
    await sweep();
    assert.equal((await occurrences(parley, "skips")).length, 2);
  },

  "the store's clock decides, and not that of the isolate": async (world) => {
    const { clock } = world.harness;
    const hoursAhead = { now: () => clock.now() + 5 * 60 * MINUTE_MS, after: clock.after.bind(clock) };
    const { parley } = world.isolate(0, FLOWS, { clock: hoursAhead, schedules: [(await minutesAgo(world, 3))({})] });
    await world.until(parley.sweep());
    const [only, ...others] = await occurrences(parley, "hourly");
    assert.deepEqual(others, []);
    const late = only!.createdAt - Date.parse(only!.workflowId.slice("hourly@".length));
    assert(late >= 2 * MINUTE_MS && late < 5 * MINUTE_MS, `${late} ms`);
  },

  "work() starts occurrences when they come": async (world) => {
    const { parley } = world.isolate(0, FLOWS, { schedules: [schedule("s", "* * * * * *", quick)] });
    const stop = new AbortController();
    const working = parley.work({ signal: stop.signal });
    await world.untilTrue(async () => (await occurrences(parley, "s")).length >= 2);
    stop.abort();
    await world.until(working);
  },

  "an input that the workflow's schema refuses is reported, and starts nothing": async (world) => {
    const strict = workflow("strict", (_ctx, input: string) => input, {
      input: { "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "no" }] }) } },
    });
    const { parley, errors } = world.isolate(0, [strict], { schedules: [schedule("s", "* * * * *", strict)] });
    await world.until(parley.sweep());
    assert.deepEqual(errors.map((error) => (error as { code: string }).code), ["invalid_value"]);
    assert.deepEqual(await occurrences(parley, "s"), []);
  },
};

async function occurrences(parley: Parley, name: string): Promise<{ workflowId: string; createdAt: number }[]> {
  return (await parley.list({ idPrefix: `${name}@` })).workflows;
}

/** Makes hourly schedules whose last occurrence was so many minutes ago, by the store's clock. */
async function minutesAgo(world: World, minutes: number): Promise<(options: ScheduleOptions<unknown>) => Schedule> {
  const { parley } = world.isolate(0, []);
  const { workflowId } = await parley.start("nothing", null, { enqueue: true });
  const { createdAt } = await parley.status(workflowId);
  const minute = new Date(createdAt - minutes * MINUTE_MS).getUTCMinutes();
  return (options) => schedule("hourly", `${minute} * * * *`, quick, options);
}
