/**
 * The boundary between Parley and a store. Types only.
 *
 * ## Terminology
 *
 * - **workflow**: one durable execution, named by its ID. Its row holds the status, the lease and when it is due.
 * - **run**: one attempt to carry a workflow on, from a claim until it ends, suspends, yields or dies.
 * - **lease**: the right of one run to write. It lasts `leaseMs` by the store's clock and is renewed by every commit.
 * - **epoch**: a counter on the workflow, raised by each claim and each resume. It fences: a write that
 *   carries an older epoch changes nothing.
 * - **owner**: a token that is new for each `create` or `claim` call, so that a repeated call is known as a repeat.
 * - **journal**: what a workflow did, one entry per position. A **complete** entry has an outcome and a `seq`, its
 *   place in the order in which outcomes were recorded. An **open** entry is a wait that began: it has a deadline
 *   (or none) and no outcome yet.
 * - **position**: the number of an operation in its workflow, from 0, in the order in which the code called it.
 * - **due**: what a claim may take: never run yet, woken, yielded, its deadline passed, or its lease lapsed.
 * - **suspended**: `PENDING`, with no run and no lease. It becomes due when something it waits for arrives or at
 *   the earliest deadline of its open entries.
 * - **hint**: "something changed, look again". It carries no data and may be lost or come twice.
 *
 * ## Rules for every method
 *
 * 1. One call is one atomic write (or one snapshot) in the store, and should be one request.
 * 2. Every call may be repeated, because the network does so behind our back: a repeat of a call that already took
 *    effect changes nothing and answers as the first did. Each method says what makes it a repeat.
 * 3. Leases, deadlines and due times are measured by the store's clock alone. They cross this boundary as
 *    durations ("so many milliseconds left"); instants (`now`, `createdAt`) are for people to read.
 * 4. Whoever brings something (a message, an event, an end) and whoever is about to suspend for it take the same
 *    lock first and look after that. So neither can miss the other.
 * 5. Values, inputs, outputs and errors are opaque text. A driver stores them byte for byte. They are encoded and
 *    size-checked before they come here, and IDs, topics and keys are 1 to 255 characters of well-formed Unicode without NUL.
 *    The topic `""` is the queue of messages without a topic.
 * 6. Trouble with the store rejects with `DriverError`; `retryable` says that the same call may be made again. Every
 *    other outcome is a value.
 *
 * @module
 */

/** What became of a workflow. All but `ENQUEUED` and `PENDING` have ended. */
export type WorkflowStatus =
  | "ENQUEUED"
  | "PENDING"
  | "SUCCESS"
  | "ERROR"
  | "CANCELLED"
  | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/** How a run may end its workflow. `CANCELLED` comes from {@linkcode Driver.control} alone. */
export type EndStatus = "SUCCESS" | "ERROR" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/** A store for workflows. See the rules at the top of this module; the conformance suite in `./testing` checks them. */
export interface Driver {
  /** The version of this contract that the driver implements. Another one is refused by `new Parley`. */
  readonly contract: 1;

  /**
   * Creates or upgrades what the store needs. Idempotent, and safe when many isolates do it at once. A driver also does
   * this by itself when a call finds nothing there; after that it costs nothing.
   */
  migrate(): Promise<void>;

  /**
   * Inserts a workflow if its ID is new. With a lease: `PENDING`, leased to the caller at epoch 1. Without: `ENQUEUED` and due.
   *
   * Repeat: the stored `owner` equals the request's and the workflow is still at epoch 1 (or 0 without a lease); answers `created: true` again.
   */
  create(request: CreateRequest): Promise<CreateResult>;

  /**
   * Leases workflows that are due to the caller, oldest due first, each at its next epoch and `PENDING`. Only those whose
   * name is in `names`; never one that another run holds, nor one that another claim is taking at the moment. Taking over a lapsed lease
   * raises `recoveryAttempts` by one; any other claim does not.
   *
   * Repeat: workflows that carry the request's `owner` and whose lease holds are returned again, and no others are taken.
   * Crash: what was leased is due again when the lease lapses.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * The one write of a run. In order: fence, apply the operations in the order given, make the transition, renew the lease.
   *
   * - Fence: the workflow is `PENDING`, held by a run, at the request's epoch. Otherwise nothing is written and the answer is
   *   `cancelled` (it was cancelled at this epoch) or `lost`. A lease that has lapsed but was not taken over is still held.
   * - An operation with a position whose entry is complete does nothing and answers with the recorded outcome. A `setEvent` or
   *   `writeStream` without a position (made inside a step) does nothing if this commit is a repeat, and answers `done`, or
   *   `stream_closed` where the stream is closed; a `send` without one is told from a repeat by its `dedupeKey`.
   * - An operation that is refused (unknown destination, closed stream) records the refusal as its outcome and leaves its neighbours alone.
   * - A new journal entry, open or complete, sets `recoveryAttempts` to 0.
   *
   * Repeat: `epoch` equals the stored one and `number` is not above the highest number committed at that epoch. A repeat whose first
   * released the lease answers `released` as long as nobody has claimed the workflow since.
   */
  commit(request: CommitRequest): Promise<CommitResult>;

  /** The complete entries after `after`, in recorded order. A page ends at `limit` entries or about 1 MiB of values; never empty while there are more. */
  readJournal(request: { workflowId: string; after: number; limit: number }): Promise<JournalPage>;

  /**
   * Appends messages, all or none, in the order given. A message takes the next number of its destination's inbox
   * under that workflow's lock, so order is the order in which sends took effect. A suspended destination that waits for the topic becomes due.
   *
   * Repeat: per (destination, `dedupeKey`), also after the message was received, until `purge`. The same `messageId` again answers as the first
   * did; another `messageId` is a `duplicate` and answers with the first one's ID; another topic is refused as a conflict.
   */
  send(messages: readonly NewMessage[]): Promise<SendResult>;

  /** One workflow, or `null`. */
  readWorkflow(workflowId: string): Promise<WorkflowRecord | null>;

  /** Workflows, newest first by creation, then by ID. `cursor` continues where the page that gave it ended. */
  listWorkflows(query: ListQuery): Promise<ListPage>;

  /** The latest value of an event and the status of its workflow, from one snapshot. */
  readEvent(request: { workflowId: string; key: string }): Promise<EventSnapshot>;

  /** Values from offset `from` on, from one snapshot with the status. A page ends at `limit` values or about 1 MiB; never empty while there are more. `limit: 0` reads no values. */
  readStream(request: { workflowId: string; key: string; from: number; limit: number }): Promise<StreamPage>;

  /**
   * `cancel`: `CANCELLED`, whatever a run is doing; waiters for its result become due. `resume`: from `CANCELLED` or
   * `MAX_RECOVERY_ATTEMPTS_EXCEEDED` back to `PENDING`, due, next epoch, `recoveryAttempts` 0.
   *
   * Repeat: cancelling what is `CANCELLED` and resuming what has not ended are done without a change. Any other ended workflow is refused with its status.
   */
  control(request: { workflowId: string; action: "cancel" | "resume" }): Promise<ControlResult>;

  /** Removes up to `limit` workflows that ended at least `olderThanMs` ago, oldest first, with all that is theirs. A repeat removes the next ones. */
  purge(request: { olderThanMs: number; limit: number }): Promise<{ purged: number }>;

  /**
   * Push, where the store has it: calls `hint` when something changed for the target. Returns at once and does not throw; a driver that
   * connects first gives one hint when it is live, since things may have changed before. Without this method the core polls.
   */
  watch?(target: WatchTarget, hint: () => void): Watch;
}

/**
 * What can be watched.
 *
 * - `inbox:` and a workflow ID: what comes to the workflow. A message, a cancel, a resume.
 * - `outbox:` and a workflow ID: what comes from it. An event, a stream value, the close of a stream, any change of its status.
 * - `due`: any workflow became due at once. A deadline or a lease that passes gives no hint.
 */
export type WatchTarget = `inbox:${string}` | `outbox:${string}` | "due";

/** A subscription of {@linkcode Driver.watch}. */
export interface Watch {
  /** Whether hints can be expected at the moment. While it is `false` the core polls as if there were no push. */
  readonly live: boolean;
  /** Ends the subscription. Calling it again does nothing. */
  close(): void;
}

/** A workflow to be. */
export interface NewWorkflow {
  workflowId: string;
  name: string;
  input: string;
}

/** See {@linkcode Driver.create}. */
export interface CreateRequest extends NewWorkflow {
  owner: string;
  /** `null`: enqueue it. */
  leaseMs: number | null;
}

/** See {@linkcode Driver.create}. `name` is the stored one: the caller decides whether another name is a conflict. */
export interface CreateResult {
  created: boolean;
  name: string;
  epoch: number;
  createdAt: number;
  /** The store's time. */
  now: number;
}

/** See {@linkcode Driver.claim}. */
export interface ClaimRequest {
  /** Only these, where they are due; `null`: whichever are due. */
  workflowIds: readonly string[] | null;
  names: readonly string[];
  limit: number;
  leaseMs: number;
  owner: string;
}

/** See {@linkcode Driver.claim}. */
export interface ClaimResult {
  claimed: Claimed[];
  /** Names of workflows that are due and not in `names`; a few of them, and only when fewer than `limit` were claimed by due time. */
  unknown: string[];
}

/** A workflow that is now the caller's, with the first page of its journal. */
export interface Claimed {
  workflow: WorkflowRecord;
  epoch: number;
  now: number;
  /** Up to 1,000 complete entries, paged as in {@linkcode Driver.readJournal}. */
  journal: JournalPage;
  /** Every open entry, by position. */
  open: OpenEntry[];
}

/** Complete entries in recorded order. */
export interface JournalPage {
  entries: JournalEntry[];
  more: boolean;
}

/** A complete entry. `label` names the operation, as in `step "charge"`. */
export interface JournalEntry {
  position: number;
  label: string;
  seq: number;
  outcome: Outcome;
}

/** An open entry. */
export interface OpenEntry {
  position: number;
  label: string;
}

/**
 * What came of an operation.
 *
 * | tag | of | `value` |
 * | --- | --- | --- |
 * | `value` | record, observeEvent, observeResult | the encoded value |
 * | `error` | record; observeResult of a workflow that failed | the encoded error, or `null` |
 * | `done` | setEvent, writeStream, closeStream, sleep | |
 * | `done` | start | the ID of the started workflow |
 * | `message` | receive | the encoded message; `topic` holds its topic |
 * | `sent`, `duplicate` | send | the message's ID; of the first one with the key |
 * | `timeout` | receive, observeEvent, observeResult | |
 * | `cancelled` | observeResult of a workflow that was cancelled | |
 * | `workflow_not_found` | send | |
 * | `workflow_ended` | send | the status |
 * | `idempotency_conflict` | send | |
 * | `workflow_conflict` | start: the ID exists under another name | |
 * | `stream_closed` | writeStream, closeStream | |
 */
export interface Outcome {
  tag: OutcomeTag;
  value?: string | null;
  topic?: string | null;
}

/** See {@linkcode Outcome}. */
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

/** Why a send, a start or a stream write was refused. The same words as the codes of `ParleyError`. */
export type Refusal =
  | "workflow_not_found"
  | "workflow_ended"
  | "idempotency_conflict"
  | "workflow_conflict"
  | "stream_closed";

/** See {@linkcode Driver.commit}. */
export interface CommitRequest {
  workflowId: string;
  epoch: number;
  /** 1, 2, 3, ... within the epoch: a run has one commit under way at a time. */
  number: number;
  leaseMs: number;
  operations: readonly Operation[];
  transition: Transition | null;
}

/**
 * How a run lets go of its workflow.
 *
 * - `suspend`: only if no operation of this call has an outcome; otherwise the lease is kept. The operations
 *   of the call are all the waits that are open: their topics and the earliest of their deadlines decide when it is due again.
 * - `yield`: due at once, for another run to carry on.
 * - `end`: every waiter for its result becomes due.
 */
export type Transition =
  | { to: "suspend" }
  | { to: "yield" }
  | { to: "end"; status: EndStatus; output: string | null; error: string | null };

/**
 * One operation of a workflow. With `position: null` it was made inside a step: it is applied and not recorded;
 * only `send`, `setEvent` and `writeStream` may be.
 */
export type Operation = { position: number | null; label: string } & (Effect | Wait);

/** An operation that has its outcome at once. */
export type Effect =
  /** Writes an outcome that the run itself produced: of a step, `now` or `uuid`. */
  | { type: "record"; outcome: Outcome }
  | { type: "send"; message: NewMessage }
  /** Inserts or replaces, raises the key's version by one from 1, makes the key's waiters due. */
  | { type: "setEvent"; key: string; value: string }
  /** Appends at the key's next offset, from 0. */
  | { type: "writeStream"; key: string; value: string }
  | { type: "closeStream"; key: string }
  /** Inserts a workflow that is `PENDING` and due, if its ID is new. */
  | { type: "start"; workflow: NewWorkflow };

/**
 * An operation that may have to wait. The first call opens the entry and fixes its deadline, `timeoutMs` from now (`null`:
 * none); later calls look again and ignore `timeoutMs`. What is there wins over a deadline that has passed.
 */
export type Wait =
  /** Takes the oldest message over all the topics and records it as received. */
  | { type: "receive"; topics: readonly string[]; timeoutMs: number | null }
  /** Reads the latest value, or registers as a waiter, also with a workflow that does not exist yet. */
  | { type: "observeEvent"; workflowId: string; key: string; timeoutMs: number | null }
  /** Reads how a workflow ended, or registers as a waiter, also with a workflow that does not exist yet. */
  | { type: "observeResult"; workflowId: string; timeoutMs: number | null }
  /** Its outcome is `done` when the deadline has passed. */
  | { type: "sleep"; timeoutMs: number };

/** See {@linkcode Driver.commit}. */
export type CommitResult = Committed | { state: "lost" } | { state: "cancelled" };

/** A commit that was let through. */
export interface Committed {
  /** `released`: the transition was made. `held`: there was none, or a suspend found something. */
  state: "held" | "released";
  /** One for each operation, in the same order. */
  results: OperationResult[];
  /** Workflows that this commit made due. */
  woken: string[];
  /** The store's time. */
  now: number;
}

/** The outcome, or how long an open wait still has (`null`: no deadline). */
export type OperationResult = { outcome: Outcome } | { remainingMs: number | null };

/** A message to be. */
export interface NewMessage {
  destinationId: string;
  topic: string;
  /** New for each call of `send`; the same on a repeat of it. */
  messageId: string;
  dedupeKey: string;
  value: string;
}

/** See {@linkcode Driver.send}. On refusal nothing was sent; `index` is the first message that could not be. */
export type SendResult =
  | { state: "sent"; receipts: { messageId: string; duplicate: boolean }[]; woken: string[] }
  | { state: "refused"; index: number; reason: Exclude<Refusal, "workflow_conflict" | "stream_closed">; status: WorkflowStatus | null };

/** A workflow as the store has it. */
export interface WorkflowRecord {
  workflowId: string;
  name: string;
  status: WorkflowStatus;
  /** While suspended: the labels of its open entries, and the earliest deadline. */
  waiting: { operations: string[]; until: number | null } | null;
  input: string;
  output: string | null;
  error: string | null;
  createdAt: number;
  updatedAt: number;
  recoveryAttempts: number;
}

/** See {@linkcode Driver.listWorkflows}. `null` means any. */
export interface ListQuery {
  statuses: readonly WorkflowStatus[] | null;
  name: string | null;
  limit: number;
  cursor: string | null;
}

/** See {@linkcode Driver.listWorkflows}. `cursor` is `null` on the last page. */
export interface ListPage {
  workflows: WorkflowRecord[];
  cursor: string | null;
}

/** See {@linkcode Driver.readEvent}. `status` is `null` where there is no such workflow. */
export interface EventSnapshot {
  event: { version: number; value: string } | null;
  status: WorkflowStatus | null;
}

/** See {@linkcode Driver.readStream}. */
export interface StreamPage {
  values: string[];
  /** The offset that the next write will get. */
  tail: number;
  /** Closed by `closeStream`. */
  closed: boolean;
  status: WorkflowStatus | null;
}

/** See {@linkcode Driver.control}. */
export type ControlResult =
  | { state: "done"; woken: string[] }
  | { state: "not_found" }
  | { state: "ended"; status: WorkflowStatus };
