/**
 * A step that streams tokens, in a worker.
 *
 * @module
 */

import { memoryDriver, Parley, workflow } from "@parley/parley";

const answer = workflow("answer", async (ctx) => {
  await ctx.step("write", async (step) => {
    const writer = step.writable<{ n: number }>("tokens").getWriter();
    const reused = { n: 0 };
    const writes: Promise<void>[] = [];
    for (; reused.n < 1_000; reused.n++) writes.push(writer.write(reused));
    await Promise.all(writes);
    await writer.close();
  });
  await ctx.step("pipe", async (step) => {
    const source = new ReadableStream<{ n: number }>({
      start(controller) {
        for (let n = 1_000; n < 1_100; n++) controller.enqueue({ n });
        controller.close();
      },
    });
    await source.pipeTo(step.writable("tokens"));
  });
  return await ctx.step("refused", async (step) => {
    const writer = step.writable<unknown>("tokens").getWriter();
    return await writer.write(() => {}).catch((error) => error.code);
  });
});

export default {
  async fetch(): Promise<Response> {
    const parley = new Parley({ driver: memoryDriver(), workflows: [answer] });
    const handle = await parley.start(answer, undefined);
    const refused = await handle.result();
    const { values } = await handle.readStream<{ n: number }>("tokens").collect();
    return Response.json({ refused, length: values.length, inOrder: values.every(({ n }, index) => n === index) });
  },
};
