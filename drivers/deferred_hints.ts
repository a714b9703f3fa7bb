/**
 * Push inside a process, for the stores that run in it.
 *
 * @module
 */

import type { Watch, WatchTarget } from "../core/driver/driver.ts";
import { Subscriptions } from "../core/time/subscriptions.ts";

/**
 * Delivers hints in a microtask of their own, so that no caller runs inside the write that caused
 * them.
 */
export class DeferredHints {
  readonly #subscriptions = new Subscriptions();
  readonly #pending = new Set<WatchTarget>();

  /**
   * Notes that something changed for the targets. One pending hint stands for all changes before it.
   */
  changed(...targets: WatchTarget[]): void {
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    for (const target of targets) this.#pending.add(target);
  }

  /** See `Driver.watch`. */
  watch(target: WatchTarget, hint: () => void): Watch {
    const subscription = this.#subscriptions.add(target, hint);
    return {
      get live() {
        return subscription.open;
      },
      close: () => subscription.close(),
    };
  }

  #flush(): void {
    const targets = [...this.#pending];
    this.#pending.clear();
    this.#subscriptions.notify(targets);
  }
}
