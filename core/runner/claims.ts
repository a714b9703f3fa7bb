/**
 * Claims workflows that are due.
 *
 * @module
 */

import { type Clock, delay } from "../time/clock.ts";
import type { Driver } from "../driver/driver.ts";
import { UnknownWorkflowError } from "../errors.ts";
import type { ClaimedRun } from "../run/host.ts";
import type { Runs } from "./runs.ts";

/** How many workflows one request leases at most. */
const MAX_CLAIM = 100;
/** How often a claim of workflows by their IDs is repeated that has left some. The pauses add up to about five seconds. */
const MAX_REPEATS = 10;
const FIRST_REPEAT_MS = 20;
const MAX_REPEAT_MS = 1_000;
/** A workflow that is not due yet is not claimed again before this; it doubles with each claim that comes too early again. */
const MIN_AGAIN_MS = 10;
const MAX_MIN_AGAIN_MS = 10_000;
/** When workflows are claimed again after the store has failed; it doubles with each failure that follows. */
const FIRST_FAILURE_MS = 5_000;
const MAX_FAILURE_MS = 300_000;

/** How long to wait before the claim is repeated that has left something. */
export function repeatMs(repeats: number): number {
  return Math.min(FIRST_REPEAT_MS * 2 ** Math.min(repeats, 10), MAX_REPEAT_MS) * (0.75 + Math.random() / 2);
}

/** What a claim by due time brought. */
export interface Taken {
  /** The workflows that are leased now. */
  leases: ClaimedRun[];
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
  /** Is told when a workflow that was claimed by its ID, and not taken, is worth another claim. */
  onLater: (workflowId: string, ms: number) => void;
}

/** Claims for one `Parley`. It never takes what runs here, even if the lease has lapsed. */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #reported = new Set<string>();
  /** How many claims by ID have failed since the last that did not. */
  #failures = 0;
  /** How many have come too early since the last that did not. */
  #early = 0;

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
   * What another call holds at the moment is claimed again, a few times. What is not due yet, as where the store's clock has gone back, is told to
   * `onLater`, and so is all that is left when the store fails.
   *
   * @param workflowIds The workflows.
   * @param onLease Gets each lease, at once.
   */
  async byId(workflowIds: readonly string[], onLease: (lease: ClaimedRun) => void): Promise<void> {
    const { runs, clock, over } = this.#options;
    let left = new Set(workflowIds);
    for (let repeats = 0; left.size > 0 && !over.aborted; repeats++) {
      await Promise.all([...left].map((workflowId) => runs.look(workflowId)));
      left = new Set([...left].filter((workflowId) => !runs.isHeld(workflowId)));
      const taken = (lease: ClaimedRun) => (left.delete(lease.workflow.workflowId), onLease(lease));
      const { more, nextDueMs } = await this.#claimAll([...left], taken).catch((error) => this.#fail(error, left));
      this.#failures = 0;
      if (!more) return this.#notYet(left, nextDueMs);
      if (repeats === MAX_REPEATS) return;
      await delay(clock, repeatMs(repeats), over);
    }
  }

  #notYet(left: Iterable<string>, nextDueMs: number | null): void {
    if (nextDueMs === null) {
      this.#early = 0;
    } else {
      const leastMs = Math.min(MIN_AGAIN_MS * 2 ** this.#early++, MAX_MIN_AGAIN_MS);
      this.#later(left, Math.max(nextDueMs, leastMs));
    }
  }

  #later(left: Iterable<string>, ms: number): void {
    const { runs, onLater } = this.#options;
    for (const workflowId of left) if (!runs.isHeld(workflowId)) onLater(workflowId, ms);
  }

  #fail(error: unknown, left: Iterable<string>): never {
    this.#later(left, Math.min(FIRST_FAILURE_MS * 2 ** this.#failures, MAX_FAILURE_MS));
    this.#failures++;
    throw error;
  }

  /** Says whether some were left that are due, and when the next of the others is. */
  async #claimAll(
    workflowIds: readonly string[],
    onLease: (lease: ClaimedRun) => void,
  ): Promise<Pick<Taken, "more" | "nextDueMs">> {
    let left = false;
    let next = Infinity;
    for (let from = 0; from < workflowIds.length; from += MAX_CLAIM) {
      const batch = workflowIds.slice(from, from + MAX_CLAIM);
      const { leases, more, nextDueMs } = await this.#claim(batch.length, batch);
      leases.forEach(onLease);
      left ||= more;
      next = Math.min(next, nextDueMs ?? Infinity);
    }
    return { more: left, nextDueMs: next < Infinity ? next : null };
  }

  async #claim(limit: number, workflowIds: readonly string[] | null): Promise<Taken> {
    const { driver, names, leaseMs, runs, over } = this.#options;
    if (limit === 0 || over.aborted) return { leases: [], nextDueMs: null, more: false, full: false };
    const owner = crypto.randomUUID();
    const except = workflowIds === null ? runs.held : [];
    const { claimed, unknown, nextDueMs, more } = await driver.claim({
      workflowIds,
      names,
      except,
      limit,
      leaseMs,
      owner,
    });
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
