/**
 * Decides when a run in memory looks at its open waits again.
 *
 * @module
 */

import type { Commits } from "./commits.ts";
import type { EffectOrWait } from "./operation.ts";
import type { WatchTarget } from "../driver/driver.ts";
import { Waiter, type WaitHost } from "../time/wait.ts";

/** Re-checks open waits on a hint, on a poll, and at a deadline. */
export class OpenWaits {
  readonly #workflowId: string;
  readonly #commits: Commits;
  readonly #host: WaitHost;
  readonly #waiter: Waiter;
  /** The deadlines of the waits, by this isolate's clock. */
  readonly #deadlines = new Map<number, number>();
  #watching = false;
  #stopped = false;

  constructor(host: WaitHost, workflowId: string, commits: Commits) {
    this.#host = host;
    this.#workflowId = workflowId;
    this.#commits = commits;
    this.#waiter = new Waiter(host);
  }

  /** Sets the deadline of a wait to the remaining time that a look has returned. */
  looked(position: number, remainingMs: number | null): void {
    const opened = !this.#deadlines.has(position);
    this.#deadlines.set(position, this.#host.clock.now() + (remainingMs ?? Infinity));
    if (!opened) return;
    this.#waiter.reset();
    this.#waiter.poke();
    if (!this.#watching) void this.#watch();
  }

  /** Removes a wait that has its outcome. */
  ended(position: number): void {
    this.#deadlines.delete(position);
  }

  /** The time until the nearest deadline, in milliseconds; `Infinity` without one. */
  get remainingMs(): number {
    return Math.min(...this.#deadlines.values()) - this.#host.clock.now();
  }

  /** Ends all looks. */
  stop(): void {
    this.#stopped = true;
    this.#waiter.close();
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    const { waits } = this.#commits;
    while (!this.#stopped) {
      // A pause between two tries ends by itself.
      const actions = [...waits.values()].map(({ action }) => action).filter(({ type }) => type !== "pause");
      if (actions.length === 0) break;
      this.#waiter.listen(targetsOf(this.#workflowId, actions));
      const limitMs = this.remainingMs;
      // A sleep cannot end early, so polling for it is useless.
      const poll = actions.some(({ type }) => type !== "sleep");
      const due = limitMs <= 0 || await this.#waiter.next({ limitMs, poll });
      if (due && !this.#stopped) await this.#commits.look();
    }
    if (!this.#stopped) this.#waiter.listen([]);
    this.#watching = false;
  }
}

/** The targets whose hints may concern the open waits. */
function targetsOf(workflowId: string, waits: EffectOrWait[]): WatchTarget[] {
  const others = waits.flatMap((wait): WatchTarget[] =>
    wait.type === "observeEvent" || wait.type === "observeResult" ? [`outbox:${wait.workflowId}`] : []
  );
  return [`inbox:${workflowId}`, ...others];
}
