import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { until } from "../../support/patience.ts";
import { AlarmWorker } from "./support/alarms.ts";

const worker = await AlarmWorker.start();
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());

/** Inputs by IDs. The Worker counts tries by ID, so each test has its own. */
function inputs(prefix: string, count: number, toInput: (index: number) => unknown): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix} ${index}`, toInput(index)]));
}

Deno.test("a recv with a timeout of 2 s that nobody sweeps ends at its deadline", async () => {
  const object = "deadline";
  await worker.ask({ object, do: "start", inputs: inputs(object, 5, (index) => 2_000 + 100 * index) });
  const seen = await worker.ended(object, 5);
  const late = seen.map(({ deadline, endedAt }) => endedAt! - deadline!).toSorted((a, b) => a - b);
  console.log(`ms late: ${late}`);
  // Nothing polls here, so the bound need not be tight.
  assert(late[0]! >= 0 && late[0]! <= 2_000);
  assert.deepEqual(seen.map(({ output, tries }) => [output, tries]), Array(5).fill(['["nothing"]', 1]));
});

Deno.test("1,000 deadlines in five seconds are kept, none lost and none twice", async () => {
  const object = "thousand";
  const begun = systemClock.now();
  await worker.ask({ object, do: "start", inputs: inputs(object, 1_000, (index) => 4_000 + 5 * index) });
  const startedInMs = systemClock.now() - begun;
  const seen = await worker.ended(object, 1_000);
  const late = seen.map(({ deadline, endedAt }) => endedAt! - deadline!).toSorted((a, b) => a - b);
  const at = (share: number) => late[Math.min(999, Math.floor(1_000 * share))];
  const { calls, alarms } = await worker.counts(object);
  console.log(
    `ms late: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}; ${alarms} alarms, ${calls} calls`,
  );
  assert(late[0]! >= 0);
  // On a busy machine, the first deadlines pass before the last workflow has started.
  if (startedInMs < 4_000) assert(at(0.5)! < 1_000);
  assert.deepEqual(new Set(seen.map(({ tries }) => tries)), new Set([1]));
});

Deno.test("a send to a suspended workflow continues it, without a cron trigger", async () => {
  const object = "sent";
  await worker.ask({ object, do: "start", inputs: { w: 3_600_000 } });
  await worker.ask({ object, do: "send", inputs: { w: "hello" } });
  const [seen] = await worker.ended(object, 1);
  assert.equal(seen!.output, '["hello"]');
});

Deno.test("an enqueued workflow begins, without a cron trigger", async () => {
  const object = "enqueued";
  await worker.ask({ object, do: "start", enqueue: true, inputs: { w: 1 } });
  assert.equal((await worker.ended(object, 1)).length, 1);
});

Deno.test("a workflow that is to begin at a time before the last alarm begins, without a cron trigger", async () => {
  const object = "past";
  await worker.ask({ object, do: "migrate" });
  await until(async () => (await worker.counts(object)).calls > 0);
  await worker.ask({ object, do: "start", beginIn: -60_000, inputs: { w: 1 } });
  await until(async () => (await worker.look(object)).some(({ status }) => status === "SUCCESS"));
});

Deno.test("a workflow whose run has died continues when the lease has lapsed", async () => {
  const object = "lapsed";
  await worker.ask({ object, do: "start", workflow: "hanging", waitUntil: false, inputs: { [object]: null } });
  const [seen] = await worker.ended(object, 1);
  assert.deepEqual([seen!.output, seen!.tries], ['["went on"]', 2]);
});

Deno.test("a dead run's workflow continues, also if a call fails and a workflow of an hour later comes", async () => {
  const object = "failing";
  await worker.ask({ object, do: "migrate" });
  // The first alarm of an object looks at everything. It must not be the one that finds the lease.
  await until(async () => (await worker.counts(object)).calls > 0);
  await worker.ask({ object, do: "start", workflow: "hanging", waitUntil: false, inputs: { [object]: null } });
  assert.deepEqual(await worker.ask({ object, do: "fail" }), ["rejected", "rejected"]);
  await worker.ask({ object, do: "start", beginIn: 3_600_000, inputs: { later: 1 } });
  const ended = async () => (await worker.look(object)).find(({ status }) => status === "SUCCESS");
  await until(async () => await ended() !== undefined);
  const seen = await ended();
  assert.deepEqual([seen!.id, seen!.output, seen!.tries], [object, '["went on"]', 2]);
});

Deno.test("schedules start their workflows, once the object has been called", async () => {
  const object = "scheduled";
  await worker.ask({ object, do: "migrate" });
  const seen = await worker.ended(object, 3);
  const occurrences = seen.map(({ id, createdAt }) => ({ at: Date.parse(id.slice("tick@".length)), createdAt }));
  const late = occurrences.map(({ at, createdAt }) => createdAt - at);
  console.log(`ms late: ${late}`);
  assert(late.every((ms) => ms >= 0));
});

Deno.test("a Worker that cannot be reached is called again", async () => {
  const object = "unreachable";
  await worker.ask({ object, do: "start", inputs: { w: 500 } });
  await worker.ended(object, 1);
  assert((await worker.counts(object)).calls >= 3);
});

Deno.test("a workflow that the Worker does not know is offered ever more rarely, also while calls fail", async () => {
  const object = "unknown";
  await worker.ask({ object, do: "start", workflow: "nobody", enqueue: true, inputs: { w: null } });
  for (let call = 0; call < 9; call++) {
    await worker.ask({ object, do: "fail" });
    await delay(systemClock, 500);
  }
  // After about 0, 1, 2 and 4 seconds. Later, other workflows are still continued at once.
  const { calls } = await worker.counts(object);
  assert(calls >= 2 && calls <= 6, `${calls} calls`);
  await worker.ask({ object, do: "start", inputs: { known: 200 } });
  const isOver = async () =>
    (await worker.look(object)).some(({ id, status }) => id === "known" && status === "SUCCESS");
  await until(isOver);
});
