/**
 * A registry of listeners. A `Parley` uses it for its own hints, and drivers use it for push.
 *
 * @module
 */

import type { WatchTarget } from "../driver/driver.ts";

/** A listener of a target. */
export interface Subscription {
  /** Whether the listener is still called. */
  readonly open: boolean;
  /** Ends the subscription. A second call does nothing. */
  close(): void;
}

/** Listeners, by target. */
export class Subscriptions {
  readonly #listeners = new Map<unknown, Map<Subscription, () => void>>();

  /** The number of targets with a listener. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Calls `listener` on every hint for the target until the subscription is closed. */
  add(target: WatchTarget, listener: () => void): Subscription {
    const listeners = this.#listeners.get(target) ?? new Map<Subscription, () => void>();
    const subscription: Subscription = {
      get open() {
        return listeners.has(this);
      },
      close: () => {
        listeners.delete(subscription);
        if (listeners.size === 0 && this.#listeners.get(target) === listeners) this.#listeners.delete(target);
      },
    };
    this.#listeners.set(target, listeners.set(subscription, listener));
    return subscription;
  }

  /** Calls all listeners, or those of the targets. It skips listeners that are closed meanwhile. */
  notify(targets: Iterable<unknown> | "all"): void {
    // Copies, because a listener may close subscriptions and add others.
    const told = targets === "all" ? [...this.#listeners.values()] : [...targets].map((it) => this.#listeners.get(it));
    for (const [subscription, listener] of told.flatMap((listeners) => [...listeners ?? []])) {
      if (subscription.open) listener();
    }
  }
}
