/**
 * A program with 1,000 writes of one step in flight, in which every warning of the runtime counts.
 *
 * @module
 */

import { memoryDriver, Parley, workflow } from "@parley/parley";
import process from "node:process";

const WRITES = 1_000;
const warnings: string[] = [];
process.on("warning", (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`));

const writes = workflow("writes", async (ctx) => {
  await Promise.all(Array.from({ length: WRITES }, (_, n) => ctx.writeStream("recorded", n)));
  await Promise.all(
    Array.from({ length: WRITES }, (_, n) => ctx.step("small", (step) => step.writeStream("of steps", n))),
  );
  await ctx.step("writing", async (step) => {
    const [single, batched] = [[], []] as Promise<unknown>[][];
    for (let n = 0; n < WRITES; n++) single!.push(step.writeStream("single", n));
    const writer = step.writable("batched").getWriter();
    for (let n = 0; n < WRITES; n++) batched!.push(writer.write(n));
    // Code of the user's own may listen, too.
    step.signal.addEventListener("abort", () => {});
    await Promise.all([...single!, ...batched!]);
    await writer.close();
  });
});

const parley = new Parley({ driver: memoryDriver(), workflows: [writes] });
const handle = await parley.start(writes, undefined);
await handle.result();
const lengths = await Promise.all(["recorded", "of steps", "single", "batched"].map(async (key) => {
  const { values } = await handle.readStream<number>(key).collect();
  return values.every((value, index) => value === index) ? values.length : "out of order";
}));
await parley.close();
// Warnings are told in a later turn.
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ lengths, warnings }));
