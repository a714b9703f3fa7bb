/**
 * The requests and answers of the driver's methods: workflows, journals, messages, events and
 * streams. Types only. See `driver.ts` for the terms.
 *
 * @module
 */

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
   * - A claim of any workflow looks if it took fewer than `limit`. Deadlines and leases count.
   * - A claim by ID looks at the workflows that match its IDs and names, except those that it took.
   *   Deadlines and the ends of parks count, but leases do not.
   */
  nextDueMs: number | null;
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
 * A workflow in a list. It has its values only if the query asked for them.
 *
 * @category Reads and control
 */
export interface ListedWorkflow extends Omit<WorkflowRecord, "input"> {
  /** The input, encoded. `null` if the query did not ask for values. */
  input: string | null;
}

/**
 * A workflow in the store.
 *
 * @category Reads and control
 */
export interface WorkflowRecord extends NewWorkflow {
  /** The workflow's status. */
  status: WorkflowStatus;
  /**
   * While it is suspended: the labels of its open entries, and their earliest deadline in epoch
   * milliseconds. `until` is `null` if there is no deadline.
   */
  waiting: { operations: string[]; until: number | null } | null;
  /** The value that it returned, encoded. `null` unless it is in `SUCCESS`. */
  output: string | null;
  /** The error that ended it, encoded. `null` if there is none. */
  error: string | null;
  /** When it was created, in epoch milliseconds. */
  createdAt: number;
  /** When its status, its wait or its journal last changed, in epoch milliseconds. */
  updatedAt: number;
  /** How often a claim took it over from a dead run since its last progress. */
  recoveryAttempts: number;
  /** The error that parked it, encoded. `null` if it is not parked. */
  problem: string | null;
  /** How often it was parked since its last progress. */
  parks: number;
}

/**
 * A query of `Driver.listWorkflows`.
 *
 * @category Reads and control
 */
export interface ListQuery {
  /** The statuses to list. `null` lists any status. */
  statuses: readonly WorkflowStatus[] | null;
  /** The workflow name to list. `null` lists any name. */
  name: string | null;
  /** Whether to list only workflows with a `problem`. */
  problem: boolean;
  /**
   * Whether to read inputs, outputs and errors.
   *
   * - `false`: inputs and outputs are `null`, and so is an error of more than 4,096 characters.
   * - `true`: a page may end before `limit`, to keep the answer within a few MiB. It has at least
   *   one workflow if any is left.
   */
  values: boolean;
  /** The largest number of workflows on the page. */
  limit: number;
  /** The `cursor` of the previous page. `null` reads the first page. */
  cursor: string | null;
}

/**
 * The answer of `Driver.listWorkflows`.
 *
 * @category Reads and control
 */
export interface ListPage {
  /** The workflows, the newest first. */
  workflows: ListedWorkflow[];
  /** The cursor for the next page. `null` on the last page. */
  cursor: string | null;
}

/**
 * The answer of `Driver.readEvent`.
 *
 * @category Reads and control
 */
export interface EventSnapshot {
  /** The latest value, encoded, and its version, from 1. `null` if the event is not set. */
  event: { version: number; value: string } | null;
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
}

/**
 * The answer of `Driver.readStream`.
 *
 * @category Reads and control
 */
export interface StreamSnapshot {
  /** The values, encoded. */
  values: string[];
  /** The offset that the next write gets. */
  tail: number;
  /** Whether a `closeStream` has closed the stream. The end of the workflow does not set this. */
  closed: boolean;
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
}

/**
 * The answer of `Driver.control`.
 *
 * - `done`: the workflow is as requested. `woken` has the IDs of workflows that are due because of
 *   the action.
 * - `not_found`: there is no workflow with this ID.
 * - `ended`: the action is refused, because the workflow has ended in this status.
 *
 * @category Reads and control
 */
export type ControlResult =
  | { state: "done"; woken: string[] }
  | { state: "not_found" }
  | { state: "ended"; status: WorkflowStatus };

/**
 * The outcome of an operation.
 *
 * | `tag` | operation | `value` |
 * | --- | --- | --- |
 * | `value` | record, observeEvent, observeResult | the encoded value |
 * | `error` | record, also of a refusal; observeResult if the workflow failed | the encoded error, or `null` |
 * | `done` | setEvent, writeStream, closeStream, sleep | |
 * | `done` | start | the ID of the started workflow |
 * | `message` | receive | the encoded message; `topic` is its topic |
 * | `sent` | send | the ID of the message |
 * | `duplicate` | send | the ID of the first message with the key |
 * | `timeout` | receive, observeEvent, observeResult | |
 * | `cancelled` | observeResult if the workflow was cancelled | |
 * | `workflow_not_found` | send; observeEvent, observeResult with `started` if the workflow is gone | |
 * | `workflow_ended` | send; observeEvent if the workflow has ended without the event | the status |
 * | `idempotency_conflict` | send | |
 * | `workflow_conflict` | start if the ID exists under another name | |
 * | `stream_closed` | writeStream, closeStream | |
 *
 * @category Workflows and journals
 */
export interface Outcome {
  /** The kind of outcome. */
  tag: OutcomeTag;
  /** The value that the table gives for the tag. */
  value?: string | null;
  /** The topic of a received message. */
  topic?: string | null;
}

/**
 * The tag of an {@linkcode Outcome}.
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
 * Why a send, a start or a stream write was refused. Each is also a code of `ParleyError`.
 *
 * @category Messages
 */
export type Refusal =
  | "workflow_not_found"
  | "workflow_ended"
  | "idempotency_conflict"
  | "workflow_conflict"
  | "stream_closed";
