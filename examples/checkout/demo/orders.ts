/**
 * The orders of the demo, and the check of their results.
 *
 * @module
 */

import * as v from "valibot";
import type { OrderInfo } from "../app.ts";
import type { Ledger } from "../ledger.ts";
import { Order, total } from "../order.ts";
import type { Outcome, Progress } from "../workflow.ts";
import type { Followed } from "./follow.ts";

/**
 * When the provider sends a webhook: before the workflow waits for it, as soon as the customer can
 * pay, and so on.
 */
const When = v.picklist([
  "early",
  "at once",
  "before kill 1",
  "while dead",
  "before kill 2",
  "after kill 2",
  "at the end",
]);
export type When = v.InferOutput<typeof When>;

const Story = v.object({
  scenario: v.string(),
  order: v.intersect([Order, v.object({ id: v.string() })]),
  decision: v.optional(v.picklist(["paid", "declined"]), "paid"),
  forged: v.optional(v.boolean(), false),
  webhooks: v.array(When),
  expected: v.picklist(["shipped", "declined", "cancelled", "abandoned"]),
});
/** One order, the actions of its customer and the provider, and the expected result. */
export type Story = v.InferOutput<typeof Story>;

/** The result of an order. */
export interface Result {
  story: Story;
  info: OrderInfo;
  /** The stream as a browser saw it that connected again after each kill. */
  seen: Followed;
  /** The status of each webhook's last answer. */
  webhooks: number[];
}

/** Reads `orders.json`. */
export async function readStories(): Promise<Story[]> {
  return v.parse(v.array(Story), JSON.parse(await Deno.readTextFile(new URL("../orders.json", import.meta.url))));
}

const STAGES: Record<Outcome, Progress["stage"][]> = {
  shipped: ["placed", "waiting", "paid", "charged", "shipped"],
  declined: ["placed", "waiting", "declined"],
  cancelled: ["placed", "waiting", "cancelled"],
  abandoned: ["placed", "waiting", "abandoned"],
};

/** Whether the browser saw each line once, in order, and the end. */
export function isComplete({ story, seen }: Result): boolean {
  const stages = STAGES[story.expected];
  return seen.ended && seen.entries.length === stages.length &&
    seen.entries.every(({ offset, value }, index) => offset === index && value.stage === stages[index]);
}

/** The faults of an order. Empty if all is well. */
export function problems(result: Result, ledger: Ledger): string[] {
  const { story: { order, expected, forged, webhooks }, info } = result;
  const shipped = expected === "shipped" ? 1 : 0;
  const charge = ledger.tally(order.id, "charge");
  const found: string[] = [];
  const check = (holds: boolean, problem: string) => holds || found.push(`${order.id}: ${problem}`);

  check(info.status === "SUCCESS", `lost: its workflow is ${info.status}`);
  check(info.outcome === expected, `it is ${info.outcome}, and should be ${expected}`);
  check(charge.effects === shipped, `charged ${charge.effects} times, and should be ${shipped} times`);
  check(
    charge.cents === shipped * total(order),
    `charged ${charge.cents} cents, and should be ${shipped * total(order)}`,
  );
  check(ledger.tally(order.id, "shipment").effects === shipped, `not shipped ${shipped} times`);
  check(ledger.tally(order.id, "session").effects === 1, "not one payment session");
  check(isComplete(result), `the browser saw ${JSON.stringify(result.seen)}`);
  const answer = forged ? 401 : 200;
  check(
    result.webhooks.length === webhooks.length && result.webhooks.every((it) => it === answer),
    `webhooks answered ${result.webhooks}`,
  );
  return found;
}
