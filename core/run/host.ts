/**
 * The interface between a run and its runner, and the ways in which a run ends.
 *
 * @module
 */

import type { Claimed, CreateRequest, CreateResult } from "../driver/driver.ts";
import type { Values } from "../values/values.ts";
import type { WaitHost } from "../time/wait.ts";

/**
 * How a run ended. `failed`: the store could not be reached, so the lease will lapse. `parked`: the
 * code does not fit the stored data, so the workflow waits for other code.
 */
export type RunEnd = "finished" | "suspended" | "yielded" | "parked" | "cancelled" | "lost" | "failed";

/** What a run needs of its runner. */
export interface RunHost extends WaitHost {
  readonly values: Values;
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly spent: AbortSignal;
  /** Aborts when the runner closes, so that all runs hand over. */
  readonly closed: AbortSignal;
  /** The names of the workflows that can run here. */
  readonly names: readonly string[];
  /** Continues workflows that became due. */
  wake(workflowIds: string[]): void;
  /** Notes that a workflow that was released here is due again in `ms` milliseconds. */
  dueIn(workflowId: string, ms: number): void;
  /** Reports an error that no caller receives. */
  report(error: unknown): void;
}

/** A claimed workflow, with the owner of the claim. */
export interface ClaimedRun extends Claimed {
  owner: string;
}

/** Returns a new workflow as its creator's claim. There is nothing to replay. */
export function createdRun(
  { workflowId, name, input, owner }: CreateRequest,
  { createdAt, epoch, now }: CreateResult,
): ClaimedRun {
  return {
    workflow: {
      workflowId,
      name,
      status: "PENDING",
      waiting: null,
      input,
      output: null,
      error: null,
      createdAt,
      updatedAt: createdAt,
      recoveryAttempts: 0,
      problem: null,
      parks: 0,
    },
    epoch,
    owner,
    now,
    journal: { entries: [], more: false },
    open: [],
  };
}
