/**
 * A workflow that publishes the values that it receives, and readers of these values.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import { workflow } from "../../../core/workflow.ts";
import { countedWatches, setup } from "../setup.ts";

const scribe = workflow("scribe", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<number | "close" | "end">();
    if (value === "end") return;
    if (value === "close") await ctx.closeStream("log");
    else await Promise.all([ctx.writeStream("log", value), ctx.setEvent("state", value)]);
  }
});

/** A workflow that writes the values that it receives, and a reader in another isolate with counted watches. */
export async function make({ push = true }: { push?: boolean } = {}) {
  const { world, clock, driver } = await setup();
  const { parley } = world.isolate(0, [scribe]);
  const handle = await parley.start(scribe, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  const { watch: _, ...poll } = driver;
  const watches = countedWatches(push ? driver : poll);
  const reads: number[] = [];
  const counted: Driver = {
    ...watches.driver,
    readStream: (request) => (reads.push(request.from), driver.readStream(request)),
  };
  const outside = world.isolate(1, [], { driver: counted }).parley;
  const send = async (...values: unknown[]) => {
    await parley.sendAll(values.map((message) => ({ destinationId: "w", message })));
    await world.until(parley.idle());
  };
  return { world, clock, parley, handle, outside, send, open: watches.open, reads };
}
