/**
 * The calls whose times are compared in stores of several sizes, and what they send.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";

/** A call. `round` is a different number each time, one higher than the time before. */
export interface Call {
  /** Creates what the call needs. It is not timed. */
  readonly prepare?: (round: number) => Promise<unknown>;
  /** Makes the call once. */
  readonly run: (round: number) => Promise<unknown>;
}

/**
 * Makes a call for a store.
 *
 * @param from The offset of the first of the last 1,000 values of the long stream.
 */
export type MakeCall<Store> = (store: Store, from: number) => Call;

/** The workflow whose inbox and streams the calls use. */
export const USED = "used";

/** The value that the calls write, about 100 bytes. */
export const VALUE = JSON.stringify("x".repeat(100));

/** A workflow that nothing has claimed yet. */
export function enqueued(workflowId: string, name: string = workflowId) {
  return { workflowId, name, input: "null", owner: crypto.randomUUID(), leaseMs: null };
}

/** A message with an ID of its own, if it is given none. */
export function message(destinationId: string, id: string = crypto.randomUUID(), topic: string = "t") {
  return { destinationId, topic, messageId: id, dedupeKey: id, value: VALUE };
}

/** Cancels a workflow. */
export function cancel(driver: Pick<Driver, "control">, workflowId: string): Promise<unknown> {
  return driver.control({ workflowId, action: "cancel" });
}
