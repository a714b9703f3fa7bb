/**
 * Decides when a run in memory looks at its open waits again.
 *
 * @module
 */

import type { WatchTarget } from "../../driver/driver.ts";
import type { Commits } from "../journal/commits.ts";
import type { EffectOrWait } from "../journal/operation.ts";
import { Waiter, type WaitHost } from "../../time/waiter.ts";

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

  /**
   * Listens for hints that concern the waits, open ones and new ones. Call it before a look at a
   * new wait, so that no hint between the look and its answer is missed.
   *
   * @param connects Whether push may connect. Default `false`, because a new wait may end at its
   * first look.
   */
  listen(connects: boolean = false): void {
    if (!this.#stopped) this.#waiter.listen(targetsOf(this.#workflowId, this.#watched()), { connects });
  }

  /** Sets the deadline of a wait, from the remaining time that a look has returned. */
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
    if (!this.#watching && this.#watched().length === 0) this.#waiter.listen([]);
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
    while (!this.#stopped) {
      const actions = this.#watched();
      if (actions.length === 0) break;
      this.listen(true);
      const limitMs = this.remainingMs;
      // A sleep cannot end early, so polling for it is useless.
      const poll = actions.some(({ type }) => type !== "sleep");
      const due = limitMs <= 0 || await this.#waiter.next({ limitMs, poll });
      if (due && !this.#stopped) await this.#commits.look();
    }
    this.listen();
    this.#watching = false;
  }

  /** The waits that need looks. A pause between two tries ends by itself. */
  #watched(): EffectOrWait[] {
    return [...this.#commits.waits.values()].map(({ action }) => action).filter(({ type }) => type !== "pause");
  }
}

/** The targets whose hints may concern the open waits. */
function targetsOf(workflowId: string, waits: EffectOrWait[]): WatchTarget[] {
  const others = waits.flatMap((wait): WatchTarget[] => {
    if (wait.type === "observeEvent") return [`event:${wait.workflowId}`];
    return wait.type === "observeResult" ? [`result:${wait.workflowId}`] : [];
  });
  return waits.length > 0 ? [`inbox:${workflowId}`, ...others] : [];
}
