/**
 * Continues workflows that became due, beside the caller.
 *
 * @module
 */

import type { Claims } from "./claims.ts";
import type { ClaimedRun } from "../run/host.ts";
import { type Place, Slots } from "./slots.ts";

/** How many busy workflows are continued side by side. */
export const SIDE_BY_SIDE = 16;
/** How many more may wait for their turn. */
const MAX_QUEUE = 100_000;

/** Who runs what was claimed. */
export interface WakesOptions {
  claims: Claims;
  run: (lease: ClaimedRun, place: Place) => Promise<unknown>;
  /** Gets every claim that is under way. It never rejects. */
  track: (work: Promise<unknown>) => void;
  /** Whether nothing is continued any more. */
  over: () => boolean;
  report: (error: unknown) => void;
}

/** The queue of workflows to continue. */
export class Wakes {
  readonly #options: WakesOptions;
  readonly #queue = new Set<string>();
  readonly #slots = new Slots(SIDE_BY_SIDE, () => this.#next());
  #reported = false;

  /**
   * Makes it.
   *
   * @param options Who runs what was claimed.
   */
  constructor(options: WakesOptions) {
    this.#options = options;
  }

  /** Queues workflows. Those that are too many are left to a sweep, which is reported once. */
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
    if (this.#options.over()) return this.#queue.clear();
    const workflowIds = [...first(this.#queue, this.#slots.free)];
    if (workflowIds.length === 0) return;
    for (const workflowId of workflowIds) this.#queue.delete(workflowId);
    this.#options.track(this.#wake(workflowIds));
  }

  async #wake(workflowIds: string[]): Promise<void> {
    const { claims, run, report } = this.#options;
    const places = workflowIds.map(() => this.#slots.take());
    try {
      await claims.byId(workflowIds, (lease) => void run(lease, places.pop()!));
    } catch (error) {
      report(error);
    }
    for (const place of places) place.end();
  }

  #reportLeft(left: number): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#options.report(
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
