/**
 * The runs of this isolate.
 *
 * @module
 */

import type { Run } from "../run/run.ts";
import type { ClaimedRun } from "../run/host.ts";

/**
 * How many runs that only wait stay in memory. Each one holds its journal, and polls if the store
 * has no push.
 */
const MAX_HOT_RUNS = 100;

/** The registry of the workflows that run here. */
export class Runs {
  readonly #runs = new Map<string, { run: Run; claimed: ClaimedRun }>();
  /** Runs that only wait. The one that has waited longest comes first. */
  readonly #hot = new Set<Run>();

  /** The workflows whose lease a run here holds, as far as it knows. */
  get held(): string[] {
    return [...this.#runs.keys()].filter((workflowId) => this.isHeld(workflowId));
  }

  /** Whether a run here holds the lease of the workflow, as far as it knows. */
  isHeld(workflowId: string): boolean {
    return this.#runs.get(workflowId)?.run.commits.closed === false;
  }

  /** The store's time, in epoch milliseconds, if a run here holds the lease and so knows it. */
  storeTime(workflowId: string): number | undefined {
    return this.isHeld(workflowId) ? this.#runs.get(workflowId)?.run.storeTime.now() : undefined;
  }

  /**
   * Whether the run here has just sent the commit that ends the workflow, and has no answer yet.
   */
  isEnding(workflowId: string): boolean {
    return this.#runs.get(workflowId)?.run.commits.ending === true;
  }

  /**
   * Whether a claim is newer than the run that is here, if any. Two claims may lease the same
   * workflow one after the other, and their answers may arrive in either order. The claim with the
   * lower epoch has lost its lease. A claim of another workflow with the same ID counts as newer.
   */
  isNewer({ workflow: { workflowId, createdAt }, epoch }: ClaimedRun): boolean {
    const here = this.#runs.get(workflowId);
    return !here || here.claimed.workflow.createdAt !== createdAt || here.claimed.epoch < epoch;
  }

  /**
   * Adds a run. An earlier run of the same workflow has lost its lease. That run looks in the store
   * at once, and learns of the loss.
   */
  add(claimed: ClaimedRun, run: Run): void {
    const { workflowId } = claimed.workflow;
    void this.look(workflowId);
    this.#runs.set(workflowId, { run, claimed });
  }

  /** Removes a run that is over. */
  remove(run: Run): void {
    this.#hot.delete(run);
    if (this.#runs.get(run.workflowId)?.run === run) this.#runs.delete(run.workflowId);
  }

  /**
   * Notes whether a run only waits in memory. If too many runs wait, the one that has waited
   * longest suspends.
   */
  setWaiting(run: Run, waiting: boolean): void {
    this.#hot.delete(run);
    if (!waiting) return;
    this.#hot.add(run);
    const [oldest] = this.#hot;
    if (this.#hot.size <= MAX_HOT_RUNS || !oldest) return;
    this.#hot.delete(oldest);
    oldest.suspend();
  }

  /**
   * Tells the workflow's run to look in the store. The promise settles when the run knows whether
   * it holds its lease, or at once if there is no run.
   */
  async look(workflowId: string): Promise<void> {
    await this.#runs.get(workflowId)?.run.commits.look();
  }

  /**
   * Renews leases that have lapsed or may lapse soon, for example after a step that blocked this
   * isolate.
   */
  renewLate(now: number): void {
    for (const { run: { commits, host } } of this.#runs.values()) {
      if (now - commits.renewedAt > host.leaseMs / 2) void commits.look();
    }
  }

  /** Tells every run to decide what it does next. */
  update(): void {
    for (const { run } of this.#runs.values()) run.update();
  }

  /** Tells every run to hand over without waiting for its steps. */
  leave(): void {
    for (const { run } of this.#runs.values()) run.leave();
  }
}
