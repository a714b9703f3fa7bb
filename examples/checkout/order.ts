/**
 * The goods of the shop, and the shape of an order.
 *
 * @module
 */

import * as v from "valibot";

/** The goods, with their prices in cents. */
export const CATALOGUE = {
  lamp: { name: "Reading lamp", cents: 4_900 },
  chair: { name: "Oak chair", cents: 12_900 },
  teapot: { name: "Clay teapot", cents: 3_450 },
} as const;

/** An order as a browser's form or a JSON client sends it. */
export const Order = v.object({
  /**
   * The cart's ID, which becomes the order's, so that a form that is sent twice orders once. The
   * default is a new one.
   */
  id: v.optional(v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/))),
  item: v.picklist(["lamp", "chair", "teapot"]),
  quantity: v.optional(
    v.pipe(v.union([v.string(), v.number()]), v.toNumber(), v.integer(), v.minValue(1), v.maxValue(10)),
    1,
  ),
  /**
   * How many seconds the shop keeps the goods for a customer who has not paid: five minutes at
   * most, and by default.
   */
  keepFor: v.optional(
    v.pipe(v.union([v.string(), v.number()]), v.toNumber(), v.integer(), v.minValue(1), v.maxValue(300)),
    300,
  ),
  customer: v.optional(v.pipe(v.string(), v.trim(), v.nonEmpty(), v.maxLength(100)), "a guest"),
});
export type Order = v.InferOutput<typeof Order>;

/** The price of an order, in cents. */
export function total({ item, quantity }: Order): number {
  return CATALOGUE[item].cents * quantity;
}

/** Formats an amount. */
export function euros(cents: number): string {
  return `€${(cents / 100).toFixed(2)}`;
}
