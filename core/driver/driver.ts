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
 * - **owner**: a token that is new for each `create` or `claim` call. It tells a repeat of the call from another one, and the
 *   lease that the call gave from any other.
 * - **journal**: what a workflow did, one entry per position. A **complete** entry has an outcome and a `seq`, its
 *   place in the order in which outcomes were recorded. An **open** entry is a wait that began: it has a deadline
 *   (or none) and no outcome yet.
 * - **position**: the number of an operation in its workflow, from 0, in the order in which the code called it.
 * - **due**: what a claim may take: never run yet, woken, yielded, its deadline passed, or its lease lapsed.
 * - **parked**: `PENDING`, with no run and no lease, because the code did not fit the journal. It is due again after a while.
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
 *    If the store's clock goes back, work that was due at once is still claimed, and no lease holds for longer than its length from now.
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

import type { CommitRequest, CommitResult } from "./operations.ts";
import type {
  ClaimRequest,
  ClaimResult,
  ControlResult,
  CreateRequest,
  CreateResult,
  EventSnapshot,
  JournalPage,
  ListPage,
  ListQuery,
  NewMessage,
  SendResult,
  StreamSnapshot,
  WorkflowRecord,
} from "./records.ts";

export type * from "./operations.ts";
export type * from "./records.ts";

/**
 * A store for workflows. See the rules at the top of this module; the conformance suite in `./testing` checks them.
 *
 * @category Driver
 */
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
   * name is in `names`; never one that another run holds, nor one that another claim is taking at the moment, nor one of `except`. Taking over a
   * lapsed lease raises `recoveryAttempts` by one; any other claim does not. It takes fewer than `limit` where the answer would become too large
   * for the store's way of sending it: nothing is leased that does not reach the caller.
   *
   * Repeat: workflows that carry the request's `owner` and whose lease holds are returned again, and no others are taken.
   * Crash: what was leased is due again when the lease lapses.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * The one write of a run. In order: fence, apply the operations in the order given, make the transition, renew the lease.
   *
   * - Fence: the workflow is `PENDING`, held by a run, at the request's epoch and by its owner. Otherwise nothing is written and the answer is
   *   `cancelled` (it was cancelled at this epoch) or `lost`. A lease that has lapsed but was not taken over is still held.
   * - Then the number: one that skips is `lost`, see `CommitRequest.number`.
   * - An operation with a position whose entry is complete does nothing and answers with the recorded outcome. A `setEvent` or
   *   `writeStream` without a position (made inside a step) does nothing if this commit is a repeat, and answers `done`, or
   *   `stream_closed` where the stream is closed; a `send` without one is told from a repeat by its `dedupeKey`.
   * - An operation that is refused (unknown destination, closed stream) records the refusal as its outcome and leaves its neighbours alone.
   * - A new journal entry, open or complete, sets `recoveryAttempts` to 0, and so does a `pause` that begins anew.
   *
   * Repeat: `epoch` and `owner` equal the stored ones and `number` is not above the highest number committed at that epoch. A repeat whose first
   * released the lease answers `released` as long as nobody has claimed the workflow since. A repeat of the last commit defers the waits that the first
   * has deferred, and no others.
   */
  commit(request: CommitRequest): Promise<CommitResult>;

  /** The complete entries after `after`, in recorded order. A page ends at `limit` entries or about 1 MiB of values as they travel; never empty while there are more. */
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

  /** Workflows, newest first by creation, then by ID. One snapshot. `cursor` continues where the page that gave it ended; any other is refused with `ValidationError`. */
  listWorkflows(query: ListQuery): Promise<ListPage>;

  /** The latest value of an event and the status of its workflow, from one snapshot. */
  readEvent(request: { workflowId: string; key: string }): Promise<EventSnapshot>;

  /** Values from offset `from` on, from one snapshot with the status. A page ends at `limit` values or about 1 MiB; never empty while there are more. `limit: 0` reads no values. */
  readStream(request: { workflowId: string; key: string; from: number; limit: number }): Promise<StreamSnapshot>;

  /**
   * `cancel`: `CANCELLED`, whatever a run is doing; waiters for its result become due. `resume`: from `CANCELLED` or
   * `MAX_RECOVERY_ATTEMPTS_EXCEEDED` back to `PENDING`, due, next epoch, `recoveryAttempts` 0.
   *
   * Repeat: cancelling what is `CANCELLED` and resuming what has not ended are done without a change. Any other ended workflow is refused with its status.
   * Resuming what is `PENDING` and due names it in `woken`: it may be a repeat whose first answer reached no one. Resuming what is parked makes it due at once,
   * and sets `parks` to 0. Resuming what is due at once, or held, also corrects a due time that lies too far ahead because the store's clock has gone back.
   */
  control(request: { workflowId: string; action: "cancel" | "resume" }): Promise<ControlResult>;

  /**
   * Removes up to `limit` workflows that ended at least `olderThanMs` ago, oldest first, with all that is theirs. A repeat removes the next ones.
   * It leaves a workflow whose parent started it and has neither ended nor recorded its result.
   */
  purge(request: { olderThanMs: number; limit: number }): Promise<{ purged: number }>;

  /**
   * Push, where the store has it: calls `hint` when something changed for the target. Returns at once and does not throw; a driver that
   * connects first gives one hint when it is live, since things may have changed before. Without this method the core polls.
   */
  watch?(target: WatchTarget, hint: () => void): Watch;

  /** How much a request may carry; without it the core only keeps requests to a few MiB. */
  readonly limits?: DriverLimits;
}

/**
 * How much a request to the store may carry, and how that is counted.
 *
 * @category Driver
 */
export interface DriverLimits {
  /**
   * The most that the values of one request may come to, in bytes as `bytesOf` counts them, small enough that the answer which reads them back
   * arrives too. The core cuts its requests accordingly, and refuses a value that can never travel with `ValueTooLargeError`, before anything is written.
   */
  readonly requestBytes: number;
  /** How many bytes a value takes in a request, with all of its escapes. */
  bytesOf(text: string): number;
}

/**
 * What can be watched.
 *
 * - `inbox:` and a workflow ID: what comes to the workflow. A message, a cancel, a resume.
 * - `outbox:` and a workflow ID: what comes from it. An event, a stream value, the close of a stream, any change of its status.
 * - `due`: any workflow became due at once, or was suspended or parked until an instant less than ten seconds ahead. A deadline or a lease that
 *   passes gives no hint.
 *
 * @category Driver
 */
export type WatchTarget = `inbox:${string}` | `outbox:${string}` | "due";

/**
 * A subscription of {@linkcode Driver.watch}.
 *
 * @category Driver
 */
export interface Watch {
  /** Whether hints can be expected at the moment. While it is `false` the core polls as if there were no push. */
  readonly live: boolean;
  /**
   * About how long the core may go without a look while this is live, in milliseconds; default 10 s. A look finds what a lost hint would have told, so a
   * store that bills each look, and that tells when its connection was lost, may allow itself more.
   */
  readonly lookMs?: number;
  /** Ends the subscription. Calling it again does nothing. */
  close(): void;
}
