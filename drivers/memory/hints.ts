/**
 * Push for the memory driver.
 *
 * @module
 */

import type { Watch, WatchTarget } from "../../core/driver/driver.ts";

interface Subscription {
  readonly hint: () => void;
  open: boolean;
}

/** Who watches what. Hints are delivered in a microtask of their own, so that no caller runs inside the write that caused them. */
export class Hints {
  readonly #watchers: Map<WatchTarget, Set<Subscription>> = new Map();
  readonly #pending: Set<Subscription> = new Set();

  /** Something changed for the target. Hints that are on their way already stand for this one too. */
  changed(target: WatchTarget): void {
    const watchers = this.#watchers.get(target);
    if (!watchers) return;
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    for (const subscription of watchers) this.#pending.add(subscription);
  }

  watch(target: WatchTarget, hint: () => void): Watch {
    const subscription: Subscription = { hint, open: true };
    const watchers = this.#watchers.get(target);
    if (watchers) watchers.add(subscription);
    else this.#watchers.set(target, new Set([subscription]));
    return {
      get live() {
        return subscription.open;
      },
      close: () => this.#close(subscription, target),
    };
  }

  #flush(): void {
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const subscription of pending) {
      if (subscription.open) subscription.hint();
    }
  }

  #close(subscription: Subscription, target: WatchTarget): void {
    subscription.open = false;
    const watchers = this.#watchers.get(target);
    watchers?.delete(subscription);
    if (watchers?.size === 0) this.#watchers.delete(target);
  }
}
