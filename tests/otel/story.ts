/**
 * A workflow that is started, waits, and is continued by a message, in any runtime.
 *
 * @module
 */

import { memoryDriver, type Observer, Parley, topic, workflow } from "../../mod.ts";

const payment = topic<number>("payment");

const ship = workflow("ship", async (ctx, _: string) => {
  await ctx.step("pack", async () => await Promise.resolve());
});

const order = workflow("order", async (ctx, item: string) => {
  await ctx.step("charge", async ({ attempt }) => {
    await Promise.resolve();
    if (attempt === 1) throw new RangeError(item);
  }, { retries: 1, delay: 0 });
  await ctx.recv(payment);
  await (await ctx.start(ship, item, { workflowId: "parcel" })).result();
});

/** The spans of the story, as `treeOf` shows them. */
export const STORY_TREE: readonly string[] = [
  "send payment",
  "start order",
  "  run order -> send payment",
  "    recv payment -> send payment",
  "    result",
  "    start ship",
  "      run ship",
  "        step pack",
  "    step charge",
  "    step charge",
];

/** Tells the story to an observer. */
export async function tellStory(observer: Observer): Promise<void> {
  const parley = new Parley({ driver: memoryDriver(), workflows: [order, ship], observer });
  const handle = await parley.start(order, "a lamp", { workflowId: "order-1" });
  await handle.send(1, { topic: payment });
  await handle.result();
  await parley.idle();
  await parley.close();
}
