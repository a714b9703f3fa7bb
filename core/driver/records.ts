/**
 * What a store is asked for and what it answers: workflows, journals, messages, events and streams. Types only; see `driver.ts`.
 *
 * @module
 */

/**
 * What became of a workflow. All but `ENQUEUED` and `PENDING` have ended.
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
 * A workflow to be.
 *
 * @category Workflows and journals
 */
export interface NewWorkflow {
  /** Its ID. */
  workflowId: string;
  /** Its definition's name. */
  name: string;
  /** Its encoded input. */
  input: string;
}

/**
 * See `Driver.create`.
 *
 * @category Workflows and journals
 */
export interface CreateRequest extends NewWorkflow {
  /** New for each call, the same on a repeat of it. */
  owner: string;
  /** For how long to lease it to the caller, in milliseconds; `null`: enqueue it. */
  leaseMs: number | null;
}

/**
 * See `Driver.create`.
 *
 * @category Workflows and journals
 */
export interface CreateResult {
  /** Whether this call, or the one it repeats, inserted the workflow. */
  created: boolean;
  /** The stored name: the caller decides whether another one is a conflict. */
  name: string;
  /** The workflow's epoch. */
  epoch: number;
  /** When it was created, in epoch milliseconds. */
  createdAt: number;
  /** The store's time, in epoch milliseconds. */
  now: number;
}

/**
 * See `Driver.claim`.
 *
 * @category Workflows and journals
 */
export interface ClaimRequest {
  /** Only these, where they are due; `null`: whichever are due. */
  workflowIds: readonly string[] | null;
  /** The names that the caller can run. */
  names: readonly string[];
  /** Workflows that the caller runs at the moment: never taken, even if their lease has lapsed. */
  except: readonly string[];
  /** How many to take at most. */
  limit: number;
  /** For how long to lease them, in milliseconds. */
  leaseMs: number;
  /** New for each call, the same on a repeat of it. */
  owner: string;
}

/**
 * See `Driver.claim`.
 *
 * @category Workflows and journals
 */
export interface ClaimResult {
  /** What is the caller's now. */
  claimed: Claimed[];
  /** Names of workflows that are due and not in `names`; a few of them, and only when fewer than `limit` were claimed by due time. */
  unknown: string[];
  /**
   * In how many milliseconds the next workflow becomes due by time, when fewer than `limit` were claimed by due time: at a deadline or the end of
   * a lease. Of a claim by ID: the next of those that are named, known and not taken, at a deadline or the end of a park; a lease does not count.
   * `null`: none does, or it was not asked for.
   */
  nextDueMs: number | null;
  /**
   * Whether this call has left something that it would have taken: another call holds the row at the moment, or the answer would have become too large.
   * The caller claims again, soon.
   */
  more: boolean;
}

/**
 * A workflow that is now the caller's, with the first page of its journal.
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
  /** Up to 1,000 complete entries, paged as in `Driver.readJournal`; fewer, or none with `more`, where the answer would become too large. */
  journal: JournalPage;
  /** Every open entry, by position. */
  open: OpenEntry[];
}

/**
 * Complete entries in recorded order.
 *
 * @category Workflows and journals
 */
export interface JournalPage {
  /** The entries. */
  entries: JournalEntry[];
  /** Whether there are later ones. */
  more: boolean;
}

/**
 * A complete entry.
 *
 * @category Workflows and journals
 */
export interface JournalEntry {
  /** The operation's number, from 0, in the order in which the code called it. */
  position: number;
  /** Names the operation, as in `step "charge"`. */
  label: string;
  /** Its place in the recorded order, rising from 1. */
  seq: number;
  /** What came of it. */
  outcome: Outcome;
}

/**
 * An open entry.
 *
 * @category Workflows and journals
 */
export interface OpenEntry {
  /** The operation's number. */
  position: number;
  /** Names the operation. */
  label: string;
  /** How many tries of the step have failed; 0 for any other wait. */
  attempts: number;
  /** How long it still has, in milliseconds, not below 0; `null`: it has no deadline. */
  remainingMs: number | null;
}

/**
 * A message to be.
 *
 * @category Messages
 */
export interface NewMessage {
  /** The workflow that is to receive it. */
  destinationId: string;
  /** Its queue; `""`: the one of messages without a topic. */
  topic: string;
  /** New for each call of `send`; the same on a repeat of it. */
  messageId: string;
  /** By what the destination knows the message, for as long as it exists. */
  dedupeKey: string;
  /** The encoded message. */
  value: string;
}

/**
 * See `Driver.send`. On refusal nothing was sent; `index` is the first message that could not be.
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
 * A workflow as a list has it: without its values, unless they were asked for.
 *
 * @category Reads and control
 */
export interface ListedWorkflow extends Omit<WorkflowRecord, "input"> {
  /** `null`: not asked for. */
  input: string | null;
}

/**
 * A workflow as the store has it.
 *
 * @category Reads and control
 */
export interface WorkflowRecord extends NewWorkflow {
  /** Where it is. */
  status: WorkflowStatus;
  /** While suspended: the labels of its open entries, and the earliest deadline in epoch milliseconds. */
  waiting: { operations: string[]; until: number | null } | null;
  /** What it returned, encoded. */
  output: string | null;
  /** Why it failed, encoded. */
  error: string | null;
  /** In epoch milliseconds. */
  createdAt: number;
  /** When its status, wait or journal last changed, in epoch milliseconds. */
  updatedAt: number;
  /** How often it was taken over from a dead run since its last progress. */
  recoveryAttempts: number;
  /** The encoded error for which it is parked; `null`: it is not. */
  problem: string | null;
  /** How often it was parked since its last progress. */
  parks: number;
}

/**
 * See `Driver.listWorkflows`. `null` means any.
 *
 * @category Reads and control
 */
export interface ListQuery {
  /** Only these. */
  statuses: readonly WorkflowStatus[] | null;
  /** Only workflows of this name. */
  name: string | null;
  /** `true`: only those that are parked. */
  problem: boolean;
  /**
   * Whether to read inputs, outputs and errors. Without: inputs and outputs are `null`, and so is an error of more than 4,096 characters. With: a page
   * may end before `limit`, so that its answer stays within a few MiB; never empty while there are more.
   */
  values: boolean;
  /** How many at most. */
  limit: number;
  /** Where the page before ended. */
  cursor: string | null;
}

/**
 * See `Driver.listWorkflows`.
 *
 * @category Reads and control
 */
export interface ListPage {
  /** Newest first. */
  workflows: ListedWorkflow[];
  /** For the next page; `null` on the last one. */
  cursor: string | null;
}

/**
 * See `Driver.readEvent`.
 *
 * @category Reads and control
 */
export interface EventSnapshot {
  /** The latest value; `null` where there is none. */
  event: { version: number; value: string } | null;
  /** `null` where there is no such workflow. */
  status: WorkflowStatus | null;
}

/** See `Driver.readStream`. */
export interface StreamSnapshot {
  /** The values, encoded. */
  values: string[];
  /** The offset that the next write will get. */
  tail: number;
  /** Closed by `closeStream`. */
  closed: boolean;
  /** `null` where there is no such workflow. */
  status: WorkflowStatus | null;
}

/**
 * See `Driver.control`.
 *
 * @category Reads and control
 */
export type ControlResult =
  | { state: "done"; woken: string[] }
  | { state: "not_found" }
  | { state: "ended"; status: WorkflowStatus };

/**
 * What came of an operation.
 *
 * | tag | of | `value` |
 * | --- | --- | --- |
 * | `value` | record, observeEvent, observeResult | the encoded value |
 * | `error` | record, also of a refusal; observeResult of a workflow that failed | the encoded error, or `null` |
 * | `done` | setEvent, writeStream, closeStream, sleep | |
 * | `done` | start | the ID of the started workflow |
 * | `message` | receive | the encoded message; `topic` holds its topic |
 * | `sent`, `duplicate` | send | the message's ID; of the first one with the key |
 * | `timeout` | receive, observeEvent, observeResult | |
 * | `cancelled` | observeResult of a workflow that was cancelled | |
 * | `workflow_not_found` | send; an observe with `started` of a workflow that is gone | |
 * | `workflow_ended` | send; observeEvent of a workflow that has ended without the event | the status |
 * | `idempotency_conflict` | send | |
 * | `workflow_conflict` | start: the ID exists under another name | |
 * | `stream_closed` | writeStream, closeStream | |
 *
 * @category Workflows and journals
 */
export interface Outcome {
  /** Which it is. */
  tag: OutcomeTag;
  /** As the table says. */
  value?: string | null;
  /** The topic of a received message. */
  topic?: string | null;
}

/**
 * See {@linkcode Outcome}.
 *
 * @category Workflows and journals
 */
export type OutcomeTag =
  | "value"
  | "error"
  | "done"
  | "message"
  | "sent"
  | "duplicate"
  | "timeout"
  | "cancelled"
  | Refusal;

/**
 * Why a send, a start or a stream write was refused. The same words as the codes of `ParleyError`.
 *
 * @category Messages
 */
export type Refusal =
  | "workflow_not_found"
  | "workflow_ended"
  | "idempotency_conflict"
  | "workflow_conflict"
  | "stream_closed";
