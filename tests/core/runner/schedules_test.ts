import assert from "node:assert/strict";
import { memoryDriver, Parley, schedule, workflow } from "../../../mod.ts";

Deno.test("a hundred isolates that sweep at once start one workflow for an occurrence", async () => {
  let runs = 0;
  const flow = workflow("flow", () => ++runs);
  const yearly = schedule("yearly", "0 0 1 1 *", flow, { catchUp: "400d" });
  const driver = memoryDriver();
  const isolates = Array.from({ length: 100 }, () => new Parley({ driver, workflows: [flow], schedules: [yearly] }));
  const sweeps = await Promise.all(isolates.map((parley) => parley.sweep()));
  await Promise.all(isolates.map((parley) => parley.idle()));
  assert.equal(runs, 1);
  assert.equal(sweeps.reduce((sum, { claimed }) => sum + claimed, 0), 1);
  const { workflows } = await isolates[0]!.list();
  assert.deepEqual(workflows.map(({ status }) => status), ["SUCCESS"]);
  assert.match(workflows[0]!.workflowId, /^yearly@\d{4}-01-01T00:00:00Z$/);
});

Deno.test("an isolate asks the store once for an occurrence, however often it sweeps", async () => {
  const flow = workflow("flow", () => {});
  const yearly = schedule("yearly", "0 0 1 1 *", flow, { catchUp: "400d" });
  const driver = memoryDriver();
  let creates = 0;
  const counting = {
    ...driver,
    create: (...args: Parameters<typeof driver.create>) => (creates++, driver.create(...args)),
  };
  const parley = new Parley({ driver: counting, workflows: [flow], schedules: [yearly] });
  for (let sweep = 0; sweep < 5; sweep++) await parley.sweep();
  assert.equal(creates, 1);
});
