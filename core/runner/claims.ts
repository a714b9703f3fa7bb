/**
 * Claims workflows that are due.
 *
 * @module
 */

import { UnknownWorkflowError } from "../errors.ts";
import type { ClaimedRun } from "../run/host.ts";
import { backoffMs } from "../time/backoff.ts";
import { delay } from "../time/clock.ts";
import type { RunnerHost } from "./host.ts";

/** The most workflows that one request leases. */
const MAX_CLAIM = 100;
/**
 * How often a claim by IDs is repeated while it leaves some due workflows. The pauses add up to
 * about five seconds.
 */
const MAX_REPEATS = 10;
const FIRST_REPEAT_MS = 20;
const MAX_REPEAT_MS = 1_000;
/**
 * The shortest time before a workflow that was not due yet is claimed again. It doubles with each
 * successive claim that comes too early.
 */
const MIN_AGAIN_MS = 10;
const MAX_MIN_AGAIN_MS = 10_000;
/**
 * The time before workflows are claimed again after the store has failed. It doubles with each
 * successive failure.
 */
const FIRST_FAILURE_MS = 5_000;
const MAX_FAILURE_MS = 300_000;

/** The pause before the repeat of a claim that has left some workflows. */
export function repeatMs(repeats: number): number {
  return backoffMs(repeats, { firstMs: FIRST_REPEAT_MS, maxMs: MAX_REPEAT_MS });
}

/** The result of a claim by due time. */
export interface Taken {
  /** The workflows that the claim has leased. */
  claimed: ClaimedRun[];
  /** See `ClaimResult`. */
  nextDueMs: number | null;
  /** See `ClaimResult`. */
  more: boolean;
  /** The store's time, in epoch milliseconds. `null` if the store was not asked. */
  now: number | null;
  /** Whether the claim leased as many workflows as it asked for, so more may be due. */
  full: boolean;
}

/** A claim that was not made. */
export const NOTHING_TAKEN: Taken = { claimed: [], nextDueMs: null, now: null, more: false, full: false };

/**
 * Claims workflows for one `Parley`. It never takes a workflow that runs here, even if the lease
 * has lapsed.
 */
export class Claims {
  readonly #host: RunnerHost;
  readonly #reported = new Set<string>();
  /** The number of claims by ID that have failed in a row. */
  #failures = 0;
  /** The number of claims by ID that have come too early in a row. */
  #early = 0;

  constructor(host: RunnerHost) {
    this.#host = host;
  }

  /**
   * Leases up to `limit` due workflows, but at most `MAX_CLAIM`, the earliest due first. It leases
   * fewer if the answer would be too large.
   */
  async byDueTime(limit: number): Promise<Taken> {
    const { runs, clock } = this.#host;
    runs.renewLate(clock.now());
    return await this.#claim(Math.min(limit, MAX_CLAIM), null);
  }

  /**
   * Leases the given workflows that are due, and hands out each of them.
   *
   * If a workflow runs here, its run looks in the store first, because it may be about to suspend.
   * A claim that had to leave some of the workflows is repeated a few times. For example, another
   * call may have locked them. If the store fails, the host is told to try the workflows again
   * later. The same happens to a workflow that is not due yet, for example because the store's
   * clock went back.
   *
   * @param workflowIds The workflows.
   * @param onClaimed Gets each claimed workflow, at once.
   */
  async byId(workflowIds: readonly string[], onClaimed: (claimed: ClaimedRun) => void): Promise<void> {
    const { runs, clock, closed } = this.#host;
    let left = new Set(workflowIds);
    for (let repeats = 0; left.size > 0 && !closed.aborted; repeats++) {
      await Promise.all([...left].map((workflowId) => runs.look(workflowId)));
      left = new Set([...left].filter((workflowId) => !runs.isHeld(workflowId)));
      const taken = (claimed: ClaimedRun) => (left.delete(claimed.workflow.workflowId), onClaimed(claimed));
      const { more, nextDueMs } = await this.#claimAll([...left], taken).catch((error) => this.#fail(error, left));
      this.#failures = 0;
      if (!more) return this.#notYet(left, nextDueMs);
      if (repeats === MAX_REPEATS) return;
      await delay(clock, repeatMs(repeats), closed);
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
    for (const workflowId of left) if (!this.#host.runs.isHeld(workflowId)) this.#host.dueIn(workflowId, ms);
  }

  #fail(error: unknown, left: Iterable<string>): never {
    this.#later(left, Math.min(FIRST_FAILURE_MS * 2 ** this.#failures, MAX_FAILURE_MS));
    this.#failures++;
    throw error;
  }

  /**
   * Claims the workflows in batches. Returns `more` and `nextDueMs` of `ClaimResult`, for all
   * batches together.
   */
  async #claimAll(
    workflowIds: readonly string[],
    onClaimed: (claimed: ClaimedRun) => void,
  ): Promise<Pick<Taken, "more" | "nextDueMs">> {
    let left = false;
    let next = Infinity;
    for (let from = 0; from < workflowIds.length; from += MAX_CLAIM) {
      const batch = workflowIds.slice(from, from + MAX_CLAIM);
      const { claimed, more, nextDueMs } = await this.#claim(batch.length, batch);
      claimed.forEach(onClaimed);
      left ||= more;
      next = Math.min(next, nextDueMs ?? Infinity);
    }
    return { more: left, nextDueMs: next < Infinity ? next : null };
  }

  async #claim(limit: number, workflowIds: readonly string[] | null): Promise<Taken> {
    const { driver, names, leaseMs, runs, closed } = this.#host;
    if (limit === 0 || closed.aborted) return NOTHING_TAKEN;
    const owner = crypto.randomUUID();
    const except = workflowIds === null ? runs.held : [];
    const { claimed, unknown, nextDueMs, now, more } = await driver.claim({
      workflowIds,
      names,
      except,
      limit,
      leaseMs,
      owner,
    });
    this.#reportUnknown(unknown);
    return { claimed: claimed.map((it) => ({ ...it, owner })), nextDueMs, now, more, full: claimed.length === limit };
  }

  #reportUnknown(names: readonly string[]): void {
    for (const name of names) {
      if (this.#reported.has(name)) continue;
      this.#reported.add(name);
      this.#host.report(new UnknownWorkflowError(name));
    }
  }
}
