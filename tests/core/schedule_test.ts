import assert from "node:assert/strict";
import { memoryDriver, Parley, schedule, workflow } from "../../mod.ts";

const flow = workflow("flow", (_ctx, input: { n: number } | undefined) => input);

/** The first occurrences after an instant. */
function after(from: string, count: number, cron: string, timeZone: string): string[] {
  const { next } = schedule("s", cron, flow, { timeZone });
  const found: string[] = [];
  for (let at = Date.parse(from); found.length < count;) {
    at = next(at)!;
    found.push(new Date(at).toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

Deno.test("a fixed time runs once a day when clocks are set forward, and once when they are set back", () => {
  assert.deepEqual(after("2027-03-27T12:00Z", 2, "30 2 * * *", "Europe/Berlin"), [
    "2027-03-28T01:00Z",
    "2027-03-29T00:30Z",
  ]);
  assert.deepEqual(after("2027-10-30T12:00Z", 2, "30 2 * * *", "Europe/Berlin"), [
    "2027-10-31T00:30Z",
    "2027-11-01T01:30Z",
  ]);
  assert.deepEqual(after("2027-03-27T12:00Z", 3, "30 1,2,3 * * *", "Europe/Berlin"), [
    "2027-03-28T00:30Z",
    "2027-03-28T01:00Z",
    "2027-03-28T01:30Z",
  ]);
});

Deno.test("a repeated time follows real time over both changes of the clocks", () => {
  assert.deepEqual(after("2027-10-30T23:59Z", 4, "*/30 * * * *", "Europe/Berlin"), [
    "2027-10-31T00:00Z",
    "2027-10-31T00:30Z",
    "2027-10-31T01:00Z",
    "2027-10-31T01:30Z",
  ]);
});

Deno.test("latest() counts the instant itself, and agrees with next()", () => {
  const { latest, next } = schedule("s", "0 9 * * 1-5", flow, { timeZone: "America/New_York" });
  const at = Date.parse("2027-06-07T13:00:00Z");
  assert.equal(latest(at), at);
  assert.equal(latest(at + 999), at);
  assert.equal(next(at - 1), at);
  assert.equal(new Date(latest(at - 1)!).toISOString(), "2027-06-04T13:00:00.000Z", "the Friday before");
  assert.equal(new Date(next(at)!).toISOString(), "2027-06-08T13:00:00.000Z");
});

Deno.test("schedule() refuses what has no occurrence or is not legal, with a reason", () => {
  const cases: [Parameters<typeof schedule>[1], object, RegExp][] = [
    ["0 9 30 2 *", {}, /has no occurrence/],
    ["* * *", {}, /five or six fields/],
    ["61 * * * *", {}, /five or six fields/],
    ["@reboot", {}, /five or six fields/],
    ["0 0 9 * * * 2027", {}, /five or six fields/],
    ["* * * * *", { timeZone: "Mars/Olympus" }, /time zone "Mars\/Olympus"/],
    ["* * * * *", { overlap: "wait" }, /overlap/],
    ["* * * * *", { catchUp: "soon" }, /catchUp/],
  ];
  for (const [cron, options, message] of cases) {
    assert.throws(() => schedule("s", cron, flow, options), { code: "invalid_value", message }, cron);
  }
  assert.throws(() => schedule("a@b", "* * * * *", flow), { code: "invalid_value" });
  assert.throws(() => schedule("x".repeat(231), "* * * * *", flow), { code: "invalid_value" });
  assert.throws(() => schedule("", "* * * * *", flow), { code: "invalid_value" });
  const twice = [schedule("s", "* * * * *", flow), schedule("s", "0 * * * *", flow)];
  assert.throws(() => new Parley({ driver: memoryDriver(), schedules: twice }), {
    code: "invalid_value",
    message: /s/,
  });
  // @ts-expect-error -- the input must be that of the workflow
  schedule("s", "* * * * *", flow, { input: { n: "1" } });
});

Deno.test("the ID of an occurrence has the schedule's name and its time", async () => {
  await using parley = new Parley({
    driver: memoryDriver(),
    workflows: [flow],
    schedules: [schedule("each second", "* * * * * *", flow, { input: { n: 1 } })],
  });
  await parley.sweep();
  const { workflows: [info] } = await parley.list({ include: "values" });
  assert.match(info!.workflowId, /^each second@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual([info!.input, info!.status], [{ n: 1 }, "SUCCESS"]);
});
