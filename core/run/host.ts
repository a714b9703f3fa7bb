/**
 * The interface between a run and its runner, and the ways in which a run ends.
 *
 * @module
 */

import type { Topics } from "../channel.ts";
import type { Claimed, CreateRequest, CreateResult, Driver, Transition, WorkflowRecord } from "../driver/driver.ts";
import type { SharedLooks } from "../read/shared_looks.ts";
import type { StreamTails } from "../read/stream_tails.ts";
import type { Values } from "../values/values.ts";
import type { WaitHost } from "../time/waiter.ts";

/** How a workflow ends. */
export type End = Extract<Transition, { to: "end" }>;

/** What a run needs from its runner. */
export interface RunHost extends WaitHost {
  readonly driver: Driver;
  readonly values: Values;
  readonly topics: Topics;
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly spent: AbortSignal;
  /** Aborts when the runner closes, so that all runs hand over. */
  readonly closed: AbortSignal;
  /** The names of the workflows that can run here. */
  readonly names: readonly string[];
  /** The looks of waits here. Each run hands the events that it sets to these waits. */
  readonly looks: SharedLooks;
  /** The streams that have readers here. Each run hands what it writes to these readers. */
  readonly tails: StreamTails;
  /** Continues workflows that became due. */
  wake(workflowIds: string[]): void;
  /** Notes that a workflow becomes due in `ms` milliseconds, and should continue here then. */
  dueIn(workflowId: string, ms: number): void;
  /**
   * Called before the commit that ends a workflow. The returned function is called once that commit
   * has succeeded. It gives the end to the waits that existed when the commit was sent.
   */
  ending(workflowId: string, end: End, failed?: WorkflowRecord["failed"]): () => void;
  /** Reports an error that no caller receives. */
  report(error: unknown): void;
}

/** A claimed workflow, with the owner of the claim. */
export interface ClaimedRun extends Claimed {
  owner: string;
}

/** Returns the claim that the creator of a workflow holds. Its journal is empty. */
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
      failed: null,
      createdAt,
      updatedAt: createdAt,
      endedAt: null,
      unread: 0,
      generation: 0,
      rewinds: 0,
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
