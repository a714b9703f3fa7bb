/**
 * What a run is given, and how it ends.
 *
 * @module
 */

import type { Claimed, CreateRequest, CreateResult } from "../driver/driver.ts";
import type { Values } from "../values/values.ts";
import type { WaitHost } from "../time/wait.ts";

/**
 * How a run came to its end. `failed`: the store could not be reached, so the lease will lapse. `parked`: the code does not fit what is stored, so the
 * workflow waits for other code.
 */
export type RunEnd = "finished" | "suspended" | "yielded" | "parked" | "cancelled" | "lost" | "failed";

/** What a run needs of the `Parley` it runs in. */
export interface RunHost extends WaitHost {
  readonly values: Values;
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly spent: AbortSignal;
  /** Whether all runs have to hand over. */
  readonly closing: boolean;
  /** Whether a workflow of this name can be run here. */
  knows(name: string): boolean;
  /** Continues workflows that became due. */
  wake(workflowIds: string[]): void;
  /** A workflow that was let go of here is due again in so many milliseconds. */
  dueIn(workflowId: string, ms: number): void;
  /** Tells of an error that no caller gets. */
  report(error: unknown): void;
}

/** A claimed workflow and who claimed it. */
export interface ClaimedRun extends Claimed {
  owner: string;
}

/** The lease of a workflow that its run has just created: there is nothing to replay. */
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
