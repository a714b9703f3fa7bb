/**
 * The requests and answers of the driver's methods for workflows, journals and messages. Types only.
 * See `driver.ts` for the terms.
 *
 * @module
 */

import type { Outcome, Refusal } from "./outcome.ts";

/**
 * The status of a workflow. A workflow has ended unless it is `ENQUEUED` or `PENDING`.
 *
 * @category Reads and control
 */
export type WorkflowStatus =
  | "ENQUEUED"
  | "PENDING"
  | "SUCCESS"
  | "ERROR"
  | "CANCELLED"
  | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/**
 * A workflow to insert.
 *
 * @category Workflows and journals
 */
export interface NewWorkflow {
  /** The workflow's ID. */
  workflowId: string;
  /** The name of its definition. */
  name: string;
  /** Its input, encoded. */
  input: string;
}

/**
 * A request of `Driver.create`.
 *
 * @category Workflows and journals
 */
export interface CreateRequest extends NewWorkflow {
  /** A token that is unique to this call, and the same in a repeat. */
  owner: string;
  /** How long to lease the workflow to the caller, in milliseconds. With `null`, it is enqueued. */
  leaseMs: number | null;
  /**
   * When an enqueued workflow becomes due, in milliseconds from now, or at an instant of the store's
   * clock in epoch milliseconds. Without it, the workflow is due at once.
   */
  due?: { inMs: number } | { at: number };
}

/**
 * The answer of `Driver.create`.
 *
 * @category Workflows and journals
 */
export interface CreateResult {
  /** Whether this call, or the one it repeats, inserted the workflow. */
  created: boolean;
  /** The stored name. The caller decides whether a different name is a conflict. */
  name: string;
  /** The workflow's epoch. */
  epoch: number;
  /** When the workflow was created, in epoch milliseconds. */
  createdAt: number;
  /** The store's time, in epoch milliseconds. */
  now: number;
}

/**
 * A request of `Driver.claim`.
 *
 * @category Workflows and journals
 */
export interface ClaimRequest {
  /** The workflows to take if they are due, and no others. With `null`, any due workflow. */
  workflowIds: readonly string[] | null;
  /** The workflow names that the caller can run. */
  names: readonly string[];
  /** Workflows that the caller is running. They are not taken, even if their leases have lapsed. */
  except: readonly string[];
  /** The largest number of workflows to take. */
  limit: number;
  /** How long to lease them, in milliseconds. */
  leaseMs: number;
  /** A token that is unique to this call, and the same in a repeat. */
  owner: string;
}

/**
 * The answer of `Driver.claim`.
 *
 * @category Workflows and journals
 */
export interface ClaimResult {
  /** The workflows that are now leased to the caller. */
  claimed: Claimed[];
  /**
   * Names of due workflows that are not in `names`, at most a few. Empty for a claim by ID, and for
   * a claim that took `limit` workflows.
   */
  unknown: string[];
  /**
   * The time until the next workflow becomes due, in milliseconds. `null` if none will, or if the
   * claim did not look.
   *
   * - A claim without IDs looks if it took fewer than `limit`. Deadlines and leases count.
   * - A claim by ID looks at the workflows that match its IDs and names, except those that it took.
   *   Deadlines and the ends of parks count, but leases do not.
   */
  nextDueMs: number | null;
  /** The store's time, in epoch milliseconds. `null` if a claim by ID had no IDs, and asked for nothing. */
  now: number | null;
  /**
   * Whether this call had to leave some workflows that it could have taken. Either another call has
   * locked their rows, or the answer would have become too large. The caller should claim again
   * soon.
   */
  more: boolean;
}

/**
 * A workflow that a claim has leased, with the first page of its journal.
 *
 * @category Workflows and journals
 */
export interface Claimed {
  /** The workflow. */
  workflow: WorkflowRecord;
  /** The epoch of the lease. */
  epoch: number;
  /** The store's time, in epoch milliseconds. */
  now: number;
  /**
   * The first page of complete entries, at most 1,000, as from `Driver.readJournal`. If the answer
   * would become too large, the page has fewer entries, or it has none and `more` is `true`.
   */
  journal: JournalPage;
  /** All open entries, sorted by position. */
  open: OpenEntry[];
}

/**
 * A page of complete entries, in recorded order.
 *
 * @category Workflows and journals
 */
export interface JournalPage {
  /** The entries. */
  entries: JournalEntry[];
  /** Whether later entries are left. */
  more: boolean;
}

/**
 * A complete entry of a journal.
 *
 * @category Workflows and journals
 */
export interface JournalEntry {
  /** The operation's position, from 0. */
  position: number;
  /** The operation's label, as in `step "charge"`. */
  label: string;
  /** The entry's place in the recorded order. It starts at 1 and rises. */
  seq: number;
  /** The operation's outcome. */
  outcome: Outcome;
}

/**
 * An open entry of a journal.
 *
 * @category Workflows and journals
 */
export interface OpenEntry {
  /** The operation's position. */
  position: number;
  /** The operation's label. */
  label: string;
  /** The number of failed tries, if the entry is the `pause` of a step. 0 for any other wait. */
  attempts: number;
  /** Milliseconds until the deadline, 0 or more. `null` if there is no deadline. */
  remainingMs: number | null;
}

/**
 * A message to send.
 *
 * @category Messages
 */
export interface NewMessage {
  /** The ID of the workflow that receives it. */
  destinationId: string;
  /** The queue. `""` is the queue of messages without a topic. */
  topic: string;
  /** An ID that is unique to this message of this `send`, and the same in a repeat. */
  messageId: string;
  /** The key by which the destination recognises a repeat, as long as the destination exists. */
  dedupeKey: string;
  /** The message, encoded. */
  value: string;
}

/**
 * The answer of `Driver.send`.
 *
 * - `sent`: `receipts` has one receipt for each message, in order. The `messageId` of a duplicate
 *   is that of the first message with the key. `woken` has the IDs of workflows that became due.
 * - `refused`: nothing was sent. `index` is the index of the first message that was refused. If the
 *   reason is `workflow_ended`, `status` is the destination's status, otherwise `null`.
 *
 * @category Messages
 */
export type SendResult =
  | { state: "sent"; receipts: { messageId: string; duplicate: boolean }[]; woken: string[] }
  | {
    state: "refused";
    index: number;
    reason: Exclude<Refusal, "workflow_conflict" | "stream_closed">;
    status: WorkflowStatus | null;
  };

/**
 * A workflow in the store.
 *
 * @category Reads and control
 */
export interface WorkflowRecord extends NewWorkflow {
  /** The workflow's status. */
  status: WorkflowStatus;
  /**
   * The labels of its open entries, and their earliest deadline in epoch milliseconds. `null`
   * unless it is suspended. `until` is `null` if there is no deadline.
   */
  waiting: { operations: string[]; until: number | null } | null;
  /** The value that it returned, encoded. `null` unless it is in `SUCCESS`. */
  output: string | null;
  /** The error that ended it, encoded. `null` if there is none. */
  error: string | null;
  /** The operation whose recorded error ended it. `null` unless it is in `ERROR` and there is one. */
  failed: { position: number; label: string } | null;
  /** When it was created, in epoch milliseconds. */
  createdAt: number;
  /**
   * When it last changed, in epoch milliseconds. A claim, a cancel, a resume and every commit count
   * as changes. A commit that only renews the lease counts too.
   */
  updatedAt: number;
  /** When it ended, in epoch milliseconds. `null` while it has not. */
  endedAt: number | null;
  /**
   * How many messages it has not received yet. `null` if nobody asked for the number with `counts`,
   * and the store would have to read more for it.
   */
  unread: number | null;
  /** How often it was continued as new. */
  generation: number;
  /** How often a resume has dropped entries of its journal. */
  rewinds: number;
  /** How often a claim took it over from a dead run since its last progress. */
  recoveryAttempts: number;
  /** The error that last parked it, encoded. `null` if there is none. See `Transition`. */
  problem: string | null;
  /** How often it was parked since its last progress. */
  parks: number;
}

/**
 * A request of `Driver.control`.
 *
 * @category Reads and control
 */
export type ControlRequest =
  | {
    workflowId: string;
    action: "cancel";
    /** Whether to cancel its children too, their children, and so on. Default `false`. */
    children?: boolean;
  }
  | {
    workflowId: string;
    action: "resume";
    /**
     * The position from which on to drop entries of the journal, and a token that is unique to this
     * call and the same in a repeat. If it is left out, the driver drops entries only of a workflow
     * in `ERROR`, from its `failed` operation on.
     */
    from?: { position: number; token: string };
  };

/**
 * The answer of `Driver.control`.
 *
 * - `done`: the workflow is as requested. `woken` has the IDs of workflows that are due because of
 *   the action.
 * - `not_found`: there is no workflow with this ID.
 * - `ended`: the action is refused, because the workflow has ended in this status.
 * - `active`: `resume` with a position is refused, because the workflow has not ended.
 *
 * @category Reads and control
 */
export type ControlResult =
  | { state: "done"; woken: string[] }
  | { state: "not_found" }
  | { state: "ended"; status: WorkflowStatus }
  | { state: "active"; status: WorkflowStatus };

/**
 * The answer of `Driver.delete`.
 *
 * - `done`: the workflow and all its data are gone.
 * - `not_found`: there is no workflow with this ID.
 * - `active`: refused, because the workflow has not ended.
 *
 * @category Reads and control
 */
export type DeleteResult =
  | { state: "done" }
  | { state: "not_found" }
  | { state: "active"; status: WorkflowStatus };
