/**
 * Claims workflows that are due.
 *
 * @module
 */

import { type Clock, delay } from "./clock.ts";
import type { Driver } from "./driver.ts";
import { UnknownWorkflowError } from "./errors.ts";
import type { Lease } from "./run_host.ts";
import type { Runs } from "./runs.ts";

/** How many workflows one request leases at most. */
const MAX_CLAIM = 100;
/** How often a claim of workflows by their IDs is repeated that has left some. The pauses add up to about five seconds. */
const MAX_REPEATS = 10;
const FIRST_REPEAT_MS = 20;
const MAX_REPEAT_MS = 1_000;

/** How long to wait before the claim is repeated that has left something. */
export function repeatMs(repeats: number): number {
  return Math.min(FIRST_REPEAT_MS * 2 ** Math.min(repeats, 10), MAX_REPEAT_MS) * (0.75 + Math.random() / 2);
}

/** What a claim by due time brought. */
export interface Taken {
  /** The workflows that are leased now. */
  leases: Lease[];
  /** See `ClaimResult`. */
  nextDueMs: number | null;
  /** See `ClaimResult`. */
  more: boolean;
  /** Whether as many were leased as were asked for, so that there may be others. */
  full: boolean;
}

/** What claims are made with. */
export interface ClaimsOptions {
  driver: Driver;
  clock: Clock;
  /** The names of the workflows that can be run here. */
  names: readonly string[];
  leaseMs: number;
  runs: Runs;
  /** Aborts when nothing is claimed any more. */
  over: AbortSignal;
  report: (error: unknown) => void;
}

/** Claims for one `Parley`. It never takes what runs here, even if the lease has lapsed. */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #reported = new Set<string>();

  /**
   * Makes it.
   *
   * @param options What claims are made with.
   */
  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Leases up to `limit` workflows that are due, the oldest first; fewer where one request would carry too many. */
  async byDueTime(limit: number): Promise<Taken> {
    const { runs, clock } = this.#options;
    runs.renewLate(clock.now());
    return await this.#claim(Math.min(limit, MAX_CLAIM), null);
  }

  /**
   * Leases those of these workflows that are due, and hands out each. What runs here looks first: it may be on its way to suspend.
   * What another call holds at the moment is claimed again, a few times.
   *
   * @param workflowIds The workflows.
   * @param onLease Gets each lease, at once.
   */
  async byId(workflowIds: readonly string[], onLease: (lease: Lease) => void): Promise<void> {
    const { runs, clock, over } = this.#options;
    let left = new Set(workflowIds);
    for (let repeats = 0; left.size > 0 && !over.aborted; repeats++) {
      await Promise.all([...left].map((workflowId) => runs.look(workflowId)));
      left = new Set([...left].filter((workflowId) => !runs.isHeld(workflowId)));
      const more = await this.#claimAll([...left], (lease) => (left.delete(lease.workflow.workflowId), onLease(lease)));
      if (!more || repeats === MAX_REPEATS) return;
      await delay(clock, repeatMs(repeats), over);
    }
  }

  /** Returns whether some were left. */
  async #claimAll(workflowIds: readonly string[], onLease: (lease: Lease) => void): Promise<boolean> {
    let left = false;
    for (let from = 0; from < workflowIds.length; from += MAX_CLAIM) {
      const batch = workflowIds.slice(from, from + MAX_CLAIM);
      const { leases, more } = await this.#claim(batch.length, batch);
      leases.forEach(onLease);
      left ||= more;
    }
    return left;
  }

  async #claim(limit: number, workflowIds: readonly string[] | null): Promise<Taken> {
    const { driver, names, leaseMs, runs, over } = this.#options;
    if (limit === 0 || over.aborted) return { leases: [], nextDueMs: null, more: false, full: false };
    const owner = crypto.randomUUID();
    const except = workflowIds === null ? runs.held : [];
    const { claimed, unknown, nextDueMs, more } = await driver.claim({ workflowIds, names, except, limit, leaseMs, owner });
    this.#reportUnknown(unknown);
    return { leases: claimed.map((it) => ({ ...it, owner })), nextDueMs, more, full: claimed.length === limit };
  }

  #reportUnknown(names: readonly string[]): void {
    for (const name of names) {
      if (this.#reported.has(name)) continue;
      this.#reported.add(name);
      this.#options.report(new UnknownWorkflowError(name));
    }
  }
}
