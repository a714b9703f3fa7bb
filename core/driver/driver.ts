/**
 * The contract between Parley and a store. Types only.
 *
 * ## Terminology
 *
 * - **workflow**: one durable execution, named by its ID. Its row in the store holds its status,
 *   its lease and its due time.
 * - **run**: one attempt to execute a workflow. A run begins with a lease, from `create` or
 *   `claim`. It lasts until it ends the workflow, suspends, yields, parks, loses the lease or dies.
 * - **lease**: the right of one run to write. It lasts `leaseMs` by the store's clock, and every
 *   commit renews it.
 * - **epoch**: a counter on the workflow. Each claim, and each resume of an ended workflow, raises
 *   the epoch by one. The epoch fences writes, because a commit with an older epoch changes
 *   nothing.
 * - **owner**: a token that is unique to one `create` or `claim` call. It identifies a repeat of
 *   that call, and the leases that the call gave.
 * - **journal**: the record of what a workflow did, with one entry per position. A **complete**
 *   entry has an outcome, and a `seq` for the order in which outcomes were recorded. An **open**
 *   entry is a wait that has begun. It has no outcome yet, and may have a deadline.
 * - **position**: the number of an operation in its workflow. Positions start at 0 and follow the
 *   order in which the code calls the operations.
 * - **due**: ready to be claimed. A workflow is due if it was woken or resumed, if its run has
 *   yielded, or if it is new and has no run. It is also due once its deadline has passed or its
 *   lease has lapsed.
 * - **suspended**: `PENDING`, with neither a run nor a lease. The workflow becomes due when
 *   something that it waits for arrives. It also becomes due at the earliest deadline of its open
 *   entries.
 * - **parked**: `PENDING`, with neither a run nor a lease, until a delay has passed. A run parks a
 *   workflow if the code does not fit the journal, or a stored value cannot be decoded.
 * - **waiter**: a workflow that is suspended until a message, an event or a result arrives. To
 *   **wake** a waiter is to make it due.
 * - **hint**: a signal that something has changed and is worth a look. It carries no data, and may
 *   be lost or arrive twice.
 *
 * ## Rules for every method
 *
 * 1. A call is one atomic write or one snapshot, and should be one request to the store.
 * 2. Any call may be repeated, because networks and client libraries send requests twice. A repeat
 *    of a call that took effect changes nothing and returns what the first call returned. The
 *    comment of each method says how the driver recognises a repeat.
 * 3. Only the store's clock decides about leases, deadlines and due times. They cross this boundary
 *    as durations in milliseconds. Instants such as `createdAt` are only for information. There are
 *    exceptions: a workflow that is to begin at an instant (`CreateRequest.due`), a wait that ends at
 *    one (`Deadline.until`), and `now`, the store's time.
 * 4. The store's clock may go back. Even then, a workflow that became due without a delay can be
 *    claimed. A lease never has more time left than its full length.
 * 5. A call that adds a message, sets an event or ends a workflow may wake a waiter. That call and
 *    the commit that suspends the waiter take the same lock. Each looks only after it has the lock,
 *    so neither can miss the other.
 * 6. Values, inputs, outputs and errors are opaque text, which a driver stores byte for byte. The
 *    core has encoded them and checked their size.
 * 7. IDs, topics and keys have 1 to 255 characters of well-formed Unicode without NUL. The topic
 *    `""` is the queue of messages without a topic.
 * 8. If the store fails, the call rejects with a `DriverError`. It is `retryable` if the same call
 *    may be made again. Every other outcome is a returned value, except that an invalid `cursor`
 *    throws.
 *
 * @module
 */

import type { CommitRequest, CommitResult } from "./operations.ts";
import type {
  ClaimRequest,
  ClaimResult,
  ControlRequest,
  ControlResult,
  CreateRequest,
  CreateResult,
  DeleteResult,
  JournalPage,
  NewMessage,
  SendResult,
} from "./records.ts";
import type {
  EventRecord,
  EventSnapshot,
  HistoryRecord,
  ListPage,
  ListQuery,
  MessageQuery,
  MessageRecord,
  PartPage,
  PartQuery,
  StreamRecord,
  StreamSnapshot,
  WorkflowSnapshot,
} from "./reads.ts";

export type * from "./operations.ts";
export type * from "./outcome.ts";
export type * from "./reads.ts";
export type * from "./records.ts";

/**
 * A store for workflows. The top of this module has the terms and the rules for all methods. The
 * conformance suite in `./conformance` checks them.
 *
 * @category Driver
 */
export interface Driver {
  /** The version of this contract that the driver implements. `new Parley` refuses any other. */
  readonly contract: 1;

  /**
   * Creates or upgrades what the store needs. It is idempotent, and safe if many isolates call it
   * at once. A driver also does this itself when a call finds that the store is not set up yet. A
   * call to a store that is set up pays nothing for this.
   */
  migrate(): Promise<void>;

  /**
   * Inserts a workflow if its ID is new. With a lease, the workflow is `PENDING` and leased to the
   * caller at epoch 1. Without one, it is `ENQUEUED` and due, at epoch 0.
   *
   * Repeat: the stored `owner` equals the request's, and the workflow is still at its first epoch.
   * The answer is `created: true` again.
   */
  create(request: CreateRequest): Promise<CreateResult>;

  /**
   * Leases due workflows to the caller, the earliest due time first. Each becomes `PENDING` at its
   * next epoch. Taking over a lapsed lease raises `recoveryAttempts` by one. Any other claim leaves
   * it unchanged.
   *
   * - A claim takes only workflows whose name is in `names`. It takes no workflow whose lease is
   *   valid, none that another claim is taking, and none in `except`.
   * - It takes fewer than `limit` if its answer would become too large for the store to send. It
   *   never leases a workflow that its answer lacks.
   *
   * Repeat: some workflows carry the request's `owner`, and their leases have not lapsed. The
   * answer has those workflows again, and no others are taken.
   *
   * Crash: the leased workflows are due again when their leases lapse.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * The only write of a run, all or nothing. It checks the fence, applies the operations in the
   * order given, and then makes the transition or renews the lease.
   *
   * - Fence: the workflow must be `PENDING` and held by a run, with the request's epoch and owner.
   *   If not, nothing is written. The answer is `cancelled` if the workflow was cancelled at this
   *   epoch, otherwise `lost`. A run whose lease has lapsed still holds the workflow until a claim
   *   takes it over.
   * - Number: a commit that skips a number is `lost`. See `CommitRequest.number`.
   * - Recorded outcomes: an operation does nothing if the entry at its position is complete. Its
   *   result is then the recorded outcome.
   * - Operations without a position: these are made inside a step. If the commit is a repeat, a
   *   `setEvent` or `writeStream` does nothing. Its result is `done`, or `stream_closed` if the
   *   stream is closed. A `send` recognises its own repeat by its `dedupeKey`.
   * - Refusals: an unknown destination or a closed stream, for example, refuses an operation. The
   *   refusal is recorded as its outcome. The other operations still apply.
   * - Progress: a commit that opens or completes a journal entry sets `recoveryAttempts` to 0. A
   *   `pause` that stores a higher number of attempts does the same.
   *
   * Repeat: `epoch` and `owner` equal the stored ones, and `number` is not above the highest number
   * committed at that epoch. If the first call released the lease, a repeat returns `released` as
   * long as nobody has claimed the workflow since. A repeat of the last commit defers exactly the
   * waits that the first call deferred.
   */
  commit(request: CommitRequest): Promise<CommitResult>;

  /**
   * Returns complete entries whose `seq` is above `after`, in recorded order. A page ends at
   * `limit` entries, or at about 1 MiB of values, measured as they are sent. It has at least one
   * entry if any is left.
   */
  readJournal(request: { workflowId: string; after: number; limit: number }): Promise<JournalPage>;

  /**
   * Appends messages in the order given, all or none. A message takes the next number in its
   * destination's inbox, under the destination's lock. So the inbox has messages in the order in
   * which their sends took effect. A destination that is suspended for the topic becomes due.
   *
   * Repeat: the destination already has a message with the same `dedupeKey`. The destination
   * remembers the key even after the message was received, until `purge` removes the destination.
   *
   * - With the same `messageId`, the answer is the same as that of the first call.
   * - With another `messageId`, the message is a `duplicate`, and the answer has the first one's
   *   ID.
   * - With another topic, the call is refused as an `idempotency_conflict`.
   */
  send(messages: readonly NewMessage[]): Promise<SendResult>;

  /**
   * Returns a workflow, or `null` if there is none with this ID. With `counts`, the record has the
   * number of unread messages. With `now`, the answer has the store's time.
   */
  readWorkflow(
    workflowId: string,
    options?: { counts?: boolean; now?: boolean | undefined },
  ): Promise<WorkflowSnapshot | null>;

  /**
   * Lists workflows from one snapshot, the newest first. Workflows that were created at the same
   * instant are sorted by ID. `cursor` continues after the page that returned it.
   *
   * @throws {ValidationError} If `cursor` is not from an earlier page.
   */
  listWorkflows(query: ListQuery): Promise<ListPage>;

  /** Returns a page of a workflow's journal, complete and open entries, sorted by position. */
  readHistory(request: PartQuery<number>): Promise<PartPage<HistoryRecord>>;

  /**
   * Returns a page of a workflow's messages, sorted by their numbers. Messages that were received
   * before the workflow was last continued as new are left out.
   */
  listMessages(request: MessageQuery): Promise<PartPage<MessageRecord>>;

  /** Returns a page of a workflow's events, sorted by the UTF-8 bytes of their keys. */
  listEvents(request: PartQuery<string>): Promise<PartPage<EventRecord>>;

  /** Returns a page of a workflow's streams, sorted by the UTF-8 bytes of their keys. */
  listStreams(request: PartQuery<string>): Promise<PartPage<StreamRecord>>;

  /**
   * Returns the latest value of an event and the status of its workflow, from one snapshot. With
   * `now`, the answer has the store's time.
   */
  readEvent(request: { workflowId: string; key: string; now?: boolean | undefined }): Promise<EventSnapshot>;

  /**
   * Returns values of a stream from offset `from` on, with the status of its workflow, from one
   * snapshot. A page ends at `limit` values, or at about 1 MiB. It has at least one value if any is
   * left, unless `limit` is 0.
   */
  readStream(request: { workflowId: string; key: string; from: number; limit: number }): Promise<StreamSnapshot>;

  /**
   * Cancels or resumes a workflow.
   *
   * - `cancel` makes it `CANCELLED`, whatever a run is doing, and wakes the waiters for its result
   *   and events.
   * - With `children`, `cancel` also cancels the workflows that this one has started and that have
   *   not ended, the workflows that those have started, and so on, all or none. It does so also if
   *   this one is `CANCELLED` already. A child whose result its parent has recorded does not count.
   * - `resume` takes a workflow from any ended status but `SUCCESS` back to `PENDING`. The workflow
   *   is due, at its next epoch, with `recoveryAttempts` 0. It drops the entries of the journal from
   *   position `from` on, and raises `rewinds` by one if there are any. A message that a dropped
   *   entry has received is unread again, in its old place. Everything else that dropped entries
   *   did stays.
   * - `resume` with a `from` refuses a workflow that has not ended. The answer is `active`.
   * - `resume` makes a parked workflow due at once, and sets `parks` to 0.
   * - After the store's clock has gone back, `resume` corrects a due time that is too far ahead. It
   *   does so for a workflow that became due without a delay, and for one that a run holds.
   * - `cancel` refuses a workflow that has ended, unless it is `CANCELLED`. `resume` refuses a
   *   workflow in `SUCCESS`. The answer has the status.
   *
   * Repeat: cancelling a `CANCELLED` workflow, or resuming one that has not ended, is `done`. If a
   * resumed workflow is already `PENDING` and due, `woken` still names it, because the first answer
   * may have been lost. A resume with a `from` stores its token as the owner. Until the next claim,
   * its repeat is `done` too.
   */
  control(request: ControlRequest): Promise<ControlResult>;

  /**
   * Removes one workflow that has ended, with all its data.
   *
   * Repeat: a repeat is not recognised. The answer is `not_found`.
   */
  delete(request: { workflowId: string }): Promise<DeleteResult>;

  /**
   * Removes workflows that ended at least `olderThanMs` ago, up to `limit`, with all their data. It
   * takes them in the order in which they ended. It keeps a child whose parent has neither ended
   * nor recorded the child's result.
   *
   * Repeat: a repeat is not recognised. It removes the next workflows in this order.
   */
  purge(request: { olderThanMs: number; limit: number }): Promise<{ purged: number }>;

  /**
   * Calls `hint` when something changes for the target. A driver without push leaves this method
   * out, and the core polls.
   *
   * `watch` returns at once and does not throw. If a driver has to connect, it gives one hint once
   * the connection is live. Something may have changed before that.
   */
  watch?(target: WatchTarget, hint: () => void): Watch;

  /** How much one request may carry. Without this, the core keeps commits to a few MiB. */
  readonly limits?: DriverLimits;
}

/**
 * How much one request to the store may carry, and how to count it.
 *
 * @category Driver
 */
export interface DriverLimits {
  /**
   * The largest total size of the values in one request, in bytes as `bytesOf` counts them. It must
   * be small enough that an answer with the same values arrives too.
   *
   * The core splits a run's operations into commits that fit. A value that does not fit by itself
   * is refused with `ValueTooLargeError`, before anything is written. The messages of one `sendAll`
   * are refused in the same way if they do not fit together.
   */
  readonly requestBytes: number;
  /** Returns the size of a value in a request, in bytes, with all its escapes. */
  bytesOf(text: string): number;
}

/**
 * What can be watched.
 *
 * - `inbox:` and a workflow ID: changes that reach the workflow, which are a message, a cancel or a
 *   resume.
 * - `event:` and a workflow ID: an event of the workflow is set, or the workflow has a new status.
 * - `stream:` and a workflow ID: a value of one of its streams comes, a stream is closed, or the
 *   workflow has a new status.
 * - `result:` and a workflow ID: the workflow has a new status.
 * - `due`: a workflow became due at once, or was suspended or parked for less than ten seconds. A
 *   deadline or a lease that passes gives no hint.
 *
 * @category Driver
 */
export type WatchTarget = `${"inbox" | "event" | "stream" | "result"}:${string}` | "due";

/**
 * A subscription of {@linkcode Driver.watch}.
 *
 * @category Driver
 */
export interface Watch {
  /**
   * Whether hints can be expected now. While it is `false`, the core polls as if there were no
   * push.
   */
  readonly live: boolean;
  /**
   * About how long the core waits between looks while the subscription is live, in milliseconds.
   * Default 10,000. Such a look finds what a lost hint would have announced. A longer time suits a
   * driver whose store bills each look, if the driver notices a lost connection.
   */
  readonly lookMs?: number;
  /** Ends the subscription. Calling it again does nothing. */
  close(): void;
}
