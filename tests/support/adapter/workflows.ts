/**
 * The workflows of the tests' adapter.
 *
 * @module
 */

import { type Workflow, workflow } from "../../../mod.ts";

/** The message that ends {@linkcode collect}. */
export const END = "end";

/** Receives messages until the end, publishes each as it comes, and returns all of them. */
export const collect: Workflow<string, string[]> = workflow("collect", async (ctx, greeting: string) => {
  const items: string[] = [];
  await ctx.writeStream("log", greeting);
  for (let item = await ctx.recv<string>("item"); item !== END; item = await ctx.recv<string>("item")) {
    items.push(item);
    await Promise.all([ctx.writeStream("log", item), ctx.setEvent("count", items.length)]);
  }
  await ctx.closeStream("log");
  return items;
});

/** Writes numbers, each a moment after the one before. */
export const count: Workflow<{ to: number; everyMs: number }, number> = workflow(
  "count",
  async (ctx, { to, everyMs }: { to: number; everyMs: number }) => {
    for (let n = 0; n < to; n++) {
      await ctx.writeStream("numbers", n);
      await ctx.sleep(everyMs);
    }
    return to;
  },
);

/** All of them. */
// deno-lint-ignore no-explicit-any -- of any input and output, as the option of `Parley` has it
export const WORKFLOWS: readonly Workflow<any, any>[] = [collect, count];
