import assert from "node:assert/strict";
import { memoryDriver } from "../../../drivers/memory/mod.ts";
import { record, YIELD } from "../../../conformance/operations.ts";
import { claimRequest, createRequest } from "../../../conformance/requests.ts";
import { DrivenRun, take } from "../../../conformance/driven_run.ts";

const MIB = 1_048_576;

Deno.test("a claim of what alone fills the answer brings no journal, and says that there is one", async () => {
  const driver = memoryDriver();
  const request = createRequest("w", { input: "x".repeat(4 * MIB) });
  await driver.create(request);
  await new DrivenRun(driver, "w", { epoch: 1, owner: request.owner }).released([record(0, "step")], YIELD);
  const { claimed } = await take(driver, "w");
  assert.deepEqual([claimed.workflow.input.length, claimed.journal], [4 * MIB, { entries: [], more: true }]);
  const { entries } = await driver.readJournal({ workflowId: "w", after: 0, limit: 10 });
  assert.deepEqual(entries.map(({ outcome }) => outcome.value), ["step"]);
});

Deno.test("claims take as many as their answers hold", async () => {
  const driver = memoryDriver();
  for (const id of ["1", "2", "3", "4", "5"]) {
    await driver.create(createRequest(id, { leaseMs: null, input: "x".repeat(1.5 * MIB) }));
  }
  const taken = [];
  for (let more = true; more;) {
    const answer = await driver.claim(claimRequest());
    taken.push(answer.claimed.length);
    more = answer.more;
  }
  assert.deepEqual(taken, [2, 2, 1]);
});
