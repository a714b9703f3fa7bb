/**
 * Continues workflows that became due, without blocking the caller.
 *
 * @module
 */

import type { Claims } from "./claims.ts";
import type { RunnerHost } from "./host.ts";
import { Slots } from "./slots.ts";

/** How many workflows may be busy side by side in the wakes of a runner, or in one sweep. */
export const SIDE_BY_SIDE = 16;
/** How many more workflows may wait for their turn. */
const MAX_QUEUE = 100_000;

/** The queue of workflows to continue. */
export class Wakes {
  readonly #host: RunnerHost;
  readonly #claims: Claims;
  readonly #queue = new Set<string>();
  readonly #slots = new Slots(SIDE_BY_SIDE, () => this.#next());
  #reported = false;

  constructor(host: RunnerHost, claims: Claims) {
    this.#host = host;
    this.#claims = claims;
  }

  /**
   * Queues workflows. If the queue is full, the remaining workflows are left to a sweep, and this
   * is reported once.
   */
  add(workflowIds: readonly string[]): void {
    let left = 0;
    for (const workflowId of workflowIds) {
      if (this.#queue.size < MAX_QUEUE) this.#queue.add(workflowId);
      else left++;
    }
    if (left > 0) this.#reportLeft(left);
    this.#next();
  }

  #next(): void {
    if (this.#host.over) return this.#queue.clear();
    const workflowIds = [...first(this.#queue, this.#slots.free)];
    if (workflowIds.length === 0) return;
    for (const workflowId of workflowIds) this.#queue.delete(workflowId);
    this.#host.track(this.#wake(workflowIds));
  }

  async #wake(workflowIds: string[]): Promise<void> {
    const slots = workflowIds.map(() => this.#slots.take());
    try {
      await this.#claims.byId(workflowIds, (claimed) => void this.#host.run(claimed, slots.pop()!));
    } catch (error) {
      this.#host.report(error);
    }
    for (const slot of slots) slot.end();
  }

  #reportLeft(left: number): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#host.report(
      new Error(`Continuing workflows: ${MAX_QUEUE} wait for their turn here, so ${left} more are left to a sweep`),
    );
  }
}

function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  for (const item of items) {
    if (count-- <= 0) return;
    yield item;
  }
}
