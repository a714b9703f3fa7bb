/**
 * A registry of listeners. A `Parley` uses it for its own hints, and drivers use it for push.
 *
 * @module
 */

import type { WatchTarget } from "../driver/driver.ts";

/** The targets that a new status of a workflow changes. */
export function statusTargets(workflowId: string): WatchTarget[] {
  return [`event:${workflowId}`, `stream:${workflowId}`, `result:${workflowId}`];
}

/** A listener of a target. */
export interface Subscription {
  /** Whether the listener is still called. */
  readonly open: boolean;
  /** Ends the subscription. A second call does nothing. */
  close(): void;
}

/** Listeners, by target. */
export class Subscriptions {
  readonly #subscriptions = new Map<unknown, Set<{ readonly open: boolean; listener: () => void }>>();

  /** The number of targets with a listener. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Calls `listener` on every hint for the target until the subscription is closed. */
  add(target: WatchTarget, listener: () => void): Subscription {
    const all = this.#subscriptions;
    const subscriptions = all.get(target) ?? new Set();
    const subscription = {
      open: true,
      listener,
      close() {
        this.open = false;
        subscriptions.delete(this);
        if (subscriptions.size === 0 && all.get(target) === subscriptions) all.delete(target);
      },
    };
    all.set(target, subscriptions.add(subscription));
    return subscription;
  }

  /** Calls all listeners, or those of the targets. It skips listeners that are closed meanwhile. */
  notify(targets: Iterable<unknown> | "all"): void {
    const all = this.#subscriptions;
    // Copies, because a listener may close subscriptions and add others.
    for (const target of targets === "all" ? [...all.keys()] : targets) {
      for (const subscription of [...all.get(target) ?? []]) {
        if (subscription.open) subscription.listener();
      }
    }
  }
}
