import assert from "node:assert/strict";
import { memoryDriver, Parley, workflow } from "../../../mod.ts";
import { withFaults } from "../../../conformance/faults.ts";

/** Answers one message a turn. `turns` is how many a generation has. */
const chat = workflow("chat", async (ctx, input: { turns: number; said: number }): Promise<number> => {
  let { said } = input;
  for (let turn = 0; turn < input.turns; turn++) {
    const text = await ctx.recv<string>();
    if (text === "end") return said;
    await ctx.writeStream("answers", `${++said}: ${text}`);
  }
  return await ctx.continueAsNew({ turns: input.turns, said });
});

/** How many requests each turn made, in a process that is gone after each turn. */
async function requestsOfTurns(turns: number, total: number): Promise<number[]> {
  const driver = withFaults(memoryDriver());
  const isolate = () => new Parley({ driver, workflows: [chat], hotWait: 0 });
  const first = isolate();
  const { workflowId } = await first.start(chat, { turns, said: 0 });
  await first.idle();
  const counts: number[] = [];
  for (let turn = 0; turn < total; turn++) {
    const before = driver.calls;
    const parley = isolate();
    await parley.send(workflowId, "hello");
    await parley.idle();
    counts.push(driver.calls - before);
  }
  await isolate().send(workflowId, "end");
  assert.equal(await isolate().result(workflowId), total);
  return counts;
}

Deno.test("a turn of a chat that is continued as new makes as many requests after 2,000 turns as at first", async () => {
  const counts = await requestsOfTurns(20, 2_000);
  const generation = (index: number) => counts.slice(20 * index, 20 * (index + 1));
  assert.deepEqual(generation(99), generation(1));
  assert(Math.min(...counts) >= 3 && Math.max(...counts) <= 10, `${Math.min(...counts)} to ${Math.max(...counts)}`);
});

Deno.test("without it, later turns read their journals in more and more pages", async () => {
  const counts = await requestsOfTurns(Infinity, 600);
  assert(counts.at(-1)! > counts[1]!, `${counts.at(-1)} after ${counts[1]}`);
});
