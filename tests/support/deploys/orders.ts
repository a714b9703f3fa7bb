/**
 * An order as two deploys have it. The second one calls another step first, so it does not fit orders
 * that the first one began.
 *
 * @module
 */

import { topic, workflow } from "../../../mod.ts";

export const payment = topic<{ amount: number }>("payment");
export const address = topic<string>("address");

/** The order that works. */
export const order = workflow("order", async (ctx, item: string) => {
  const reserved = await ctx.step("reserve", () => crypto.randomUUID());
  await ctx.setEvent("reserved", reserved);
  const { amount } = await ctx.recv(payment);
  const street = await ctx.recv(address);
  return { item, amount, street, reserved };
});

/** The order of a bad deploy. */
export const badOrder = workflow("order", async (ctx, item: string) => {
  await ctx.step("check stock", () => item);
  const reserved = await ctx.step("reserve", () => crypto.randomUUID());
  return { item, reserved };
});
