/**
 * The open waits of a run that is in memory: when each is looked at again.
 *
 * @module
 */

import type { Commits } from "./commits.ts";
import type { EffectOrWait } from "./operation.ts";
import type { WatchTarget } from "../driver/driver.ts";
import { Waiter, type WaitHost } from "../time/wait.ts";

/** Has open waits looked at when there is a hint, a poll is due or a deadline has passed. */
export class OpenWaits {
  readonly #workflowId: string;
  readonly #commits: Commits;
  readonly #host: WaitHost;
  readonly #waiter: Waiter;
  /** When they reach their deadlines, by this isolate's clock. */
  readonly #deadlines = new Map<number, number>();
  #watching = false;
  #stopped = false;

  constructor(host: WaitHost, workflowId: string, commits: Commits) {
    this.#host = host;
    this.#workflowId = workflowId;
    this.#commits = commits;
    this.#waiter = new Waiter(host);
  }

  /** A look has told how long a wait still has. */
  looked(position: number, remainingMs: number | null): void {
    const opened = !this.#deadlines.has(position);
    this.#deadlines.set(position, this.#host.clock.now() + (remainingMs ?? Infinity));
    if (!opened) return;
    this.#waiter.reset();
    this.#waiter.poke();
    if (!this.#watching) void this.#watch();
  }

  /** A wait has its outcome. */
  ended(position: number): void {
    this.#deadlines.delete(position);
  }

  /** How long it is until the nearest deadline, in milliseconds; `Infinity`: there is none. */
  get remainingMs(): number {
    return Math.min(...this.#deadlines.values()) - this.#host.clock.now();
  }

  /** Looks no more. */
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
      // A sleep cannot end early, so there is nothing to poll for.
      const poll = actions.some(({ type }) => type !== "sleep");
      const due = limitMs <= 0 || await this.#waiter.next({ limitMs, poll });
      if (due && !this.#stopped) await this.#commits.look();
    }
    if (!this.#stopped) this.#waiter.listen([]);
    this.#watching = false;
  }
}

/** Where hints for open waits come from. */
function targetsOf(workflowId: string, waits: EffectOrWait[]): WatchTarget[] {
  const others = waits.flatMap((wait): WatchTarget[] =>
    wait.type === "observeEvent" || wait.type === "observeResult" ? [`outbox:${wait.workflowId}`] : []
  );
  return [`inbox:${workflowId}`, ...others];
}
