/**
 * `deno task screenshots`: writes the pictures of the inspector in `docs/images/`. It runs the story
 * of `docs/operate.md` and takes the pictures in a real browser.
 *
 * @module
 */

import { memoryDriver, Parley, topic, workflow } from "../../mod.ts";
import { InspectorSetting } from "./inspector.ts";
import { delay, systemClock } from "../../core/time/clock.ts";
import { ROOT } from "../../scripts/deno.ts";

const IMAGES = "docs/images/";
const WIDTH = 1_100;

const payment = topic<{ amount: number }>("payment");

const order = workflow("order", async (ctx, { item }: { item: string }) => {
  await ctx.setEvent("stage", "placed");
  const price = await ctx.step("price", () => delay(systemClock, 180).then(() => 20));
  const invoice = await ctx.start(note, item);
  await ctx.step("reserve", ({ attempt }) => attempt < 3 ? Promise.reject(new Error("the shelf is busy")) : "shelf 4", {
    retries: 3,
    delay: "150ms",
  });
  await ctx.writeStream("log", `${item} costs ${price}`);
  const { amount } = await ctx.recv(payment, { timeout: "3d" });
  await ctx.step("charge", async () => {
    await delay(systemClock, 120);
    throw new Error("The bank is closed", { cause: new TypeError("503 of bank.example") });
  });
  await invoice.result();
  return { amount };
});

const note = workflow("invoice", async (ctx, item: string) => await ctx.step("print", () => item));

const parley = new Parley({ driver: memoryDriver(), workflows: [order, note] });
await using setting = new InspectorSetting(parley);
for (let n = 1; n <= 9; n++) {
  await parley.start(order, { item: ["A lamp", "A chair", "A desk"][n % 3]! }, { workflowId: `order-${n}` });
}
await delay(systemClock, 1_500);
await parley.send("order-7", { amount: 20 }, { topic: "paymnet" });
await parley.send("order-3", { amount: 20 }, { topic: payment });
await delay(systemClock, 700);
await parley.send("order-7", { amount: 20 }, { topic: payment });
await delay(systemClock, 700);

const inspector = await setting.open("#/");
for (
  const [name, hash, text, height] of [
    ["list", "#/?name=order", "9 shown.", 620],
    ["workflow", "#/workflows/order-7", "failed: Error", 1_330],
  ] as const
) {
  await inspector.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await inspector.says(text);
  for (const scheme of ["light", "dark"] as const) {
    await inspector.page.emulate({ width: WIDTH, height, scheme });
    await Deno.writeFile(new URL(`${IMAGES}inspector-${name}-${scheme}.webp`, ROOT), await inspector.page.screenshot());
  }
}
