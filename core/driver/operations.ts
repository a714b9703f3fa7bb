/**
 * What a run commits: operations, their outcomes, and the transition that ends the run. Types only.
 * See `driver.ts` for the terms.
 *
 * @module
 */

import type { NewMessage, NewWorkflow } from "./records.ts";
import type { Outcome } from "./outcome.ts";

/**
 * The statuses in which a run may end its workflow. Only `Driver.control` sets `CANCELLED`.
 *
 * @category Commits
 */
export type EndStatus = "SUCCESS" | "ERROR" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/**
 * A request of `Driver.commit`.
 *
 * @category Commits
 */
export interface CommitRequest {
  /** The ID of the workflow that the run holds. */
  workflowId: string;
  /** The epoch of the run's lease. */
  epoch: number;
  /**
   * The owner of the run's lease. The epoch alone is not enough, because a workflow that is created
   * again after a purge starts with the first epoch. An owner is never used again.
   */
  owner: string;
  /**
   * The number of this commit within the epoch: 1, 2, 3, and so on. A run makes one commit at a
   * time.
   *
   * A number that is one above the stored number is new. A number up to the stored number is a
   * repeat. A number that skips one means that the store has lost commits, as after a failover to
   * an older copy. Then the run is `lost`.
   */
  number: number;
  /** How long the lease lasts from now on, in milliseconds. */
  leaseMs: number;
  /** The operations, applied in this order. */
  operations: readonly Operation[];
  /** The transition that follows the operations. With `null`, the run goes on. */
  transition: Transition | null;
}

/**
 * How a run releases its workflow.
 *
 * - `suspend`: the run waits. The commit's operations then include all of the workflow's open
 *   waits. The topics, events and results of these waits wake the workflow, and so does the
 *   earliest deadline. If any operation has an outcome, the suspend is not made.
 * - `yield`: the workflow is due at once, for another run to continue.
 * - `park`: the code does not fit the journal, or a stored value cannot be decoded. The workflow
 *   stays `PENDING` without a lease. It is due again after `delayMs`, or at once by a `resume` of
 *   `control`. Messages and events do not make it due sooner. Taking over a parked workflow does
 *   not count as a recovery attempt.
 * - `end`: the workflow has ended. The waiters for its result and for its events become due.
 *   `failedPosition` is the position of the operation whose recorded error ended the workflow. It
 *   is left out if there is none.
 * - `continueAsNew`: the workflow starts again with another input, an empty journal and the next
 *   generation. It is due at once. The commit has no operations. Unread messages, dedupe keys,
 *   events, streams and children stay. Messages that it has received are no longer listed.
 *
 * `park` stores the encoded error as the record's `problem`, and raises its `parks` by one. A claim
 * changes neither. A cancel and any other transition clear both. A commit that makes progress also
 * clears both. `Driver.commit` says what counts as progress.
 *
 * @category Commits
 */
export type Transition =
  | { to: "suspend" }
  | { to: "yield" }
  | { to: "park"; problem: string; delayMs: number }
  | { to: "end"; status: EndStatus; output: string | null; error: string | null; failedPosition?: number }
  | { to: "continueAsNew"; input: string };

/**
 * An operation of a workflow. `label` names it in the journal, as in `step "charge"`.
 *
 * `ageMs` is how long ago the code began it, in whole milliseconds, and 0 if it is left out. The
 * entry of a complete operation began that long before the commit. The first commit with a wait
 * sets the time at which it began, and later commits keep it.
 *
 * An operation with `position: null` was made inside a step. It is applied but not recorded. Only
 * `send`, `setEvent` and `writeStream` may have no position.
 *
 * @category Commits
 */
export type Operation = { position: number | null; label: string; ageMs?: number } & (Effect | Wait);

/**
 * An operation that has its outcome at once.
 *
 * - `record`: stores an outcome that the run itself has produced. It may be the outcome of a step,
 *   of `now`, of `uuid` or of the check of a received message. It may also be the refusal of any
 *   operation, or of a wait that the code has withdrawn. If a `pause` or another wait has opened an
 *   entry at this position, the `record` completes that entry. `attempts` is the number of tries of a step, and is left out otherwise.
 * - `send`: sends one message, as `Driver.send` does.
 * - `setEvent`: inserts or replaces the value of the key, and wakes its waiters. The key's version
 *   starts at 1 and rises by one with each write.
 * - `writeStream`: appends the value at the key's next offset. Offsets start at 0.
 * - `closeStream`: closes the stream, so that later writes are refused.
 * - `start`: inserts a workflow that is `PENDING` and due, if its ID is new. The committing
 *   workflow becomes its parent, which matters to `Driver.purge`.
 *
 * @category Commits
 */
export type Effect =
  | { type: "record"; outcome: Outcome; attempts?: number }
  | { type: "send"; message: NewMessage }
  | { type: "setEvent"; key: string; value: string }
  | { type: "writeStream"; key: string; value: string }
  | { type: "closeStream"; key: string }
  | { type: "start"; workflow: NewWorkflow };

/**
 * An operation that may have to wait.
 *
 * Each commit with the wait looks for the wait's outcome. The first commit that finds none opens
 * the entry and sets its deadline: `timeoutMs` from now, or `until`, which is an instant of the
 * store's clock in epoch milliseconds. With `timeoutMs: null` and no `until` there is no deadline.
 * Later commits look again and ignore both.
 *
 * The first look takes whatever is there, and so does every look before the deadline. After the
 * deadline, a look finds only what came by then. The message must have been sent, the event first
 * set, or the workflow ended, no later than the deadline. The store's clock decides, no matter how
 * late a run looks. Anything later is ignored and left in place, and the outcome is `timeout`.
 *
 * - `receive`: takes the oldest message of all the topics, and records it as received.
 * - `observeEvent`: reads the latest value of the event. If the workflow has ended without the
 *   event, the outcome is `workflow_ended`. Otherwise the wait stays open, even if the workflow
 *   does not exist yet.
 * - `observeResult`: reads how the workflow ended. Until it ends, the wait stays open, even if the
 *   workflow does not exist yet.
 * - `sleep`: its outcome is `done` once the deadline has passed.
 * - `pause`: the time between two tries of the step at this position. `attempts` is the number of
 *   failed tries. The commit stores a number that is higher than the entry's, and opens the entry
 *   if there is none. In both cases the deadline becomes `timeoutMs` from now. Otherwise the
 *   `pause` changes nothing. It has no outcome of its own. Its result is the time left, down to
 *   `remainingMs: 0`, unless it is deferred. A `record` at the same position completes the entry. A
 *   suspend with a `pause` that has 0 left is not made.
 *
 * `started: true` means that this workflow started the observed one. If the observed workflow no
 * longer exists, the outcome is `workflow_not_found`, even after the deadline.
 *
 * `together: true` means that the run needs the outcomes of all such waits, unless one of the
 * observed workflows fails. While the waiting workflow is suspended, the `SUCCESS` of an observed
 * one wakes it only if all others have ended. Any other end wakes it at once.
 *
 * @category Commits
 */
export type Wait =
  | ({ type: "receive"; topics: readonly string[] } & Deadline)
  | ({ type: "observeEvent"; workflowId: string; key: string; started: boolean } & Deadline)
  | ({ type: "observeResult"; workflowId: string; started: boolean; together: boolean } & Deadline)
  | { type: "sleep"; timeoutMs: number }
  | { type: "pause"; attempts: number; timeoutMs: number };

/**
 * When a wait times out. If there is an `until`, `timeoutMs` is `null`.
 *
 * @category Commits
 */
export interface Deadline {
  /** The time from the first look on, in milliseconds. */
  timeoutMs: number | null;
  /** The instant, in epoch milliseconds by the store's clock. */
  until?: number;
}

/**
 * The answer of `Driver.commit`.
 *
 * @category Commits
 */
export type CommitResult = Committed | { state: "lost" } | { state: "cancelled" };

/**
 * The answer to a commit that passed the fence.
 *
 * @category Commits
 */
export interface Committed {
  /**
   * `released`: the transition was made. `held`: the run keeps the lease, because the commit had no
   * transition or its transition was not made.
   */
  state: "held" | "released";
  /** One result for each operation, in the same order. */
  results: OperationResult[];
  /** The IDs of workflows that this commit made due. */
  woken: string[];
  /** The store's time, in epoch milliseconds. */
  now: number;
}

/**
 * The outcome of an operation, or the time that an open wait has left.
 *
 * - `outcome`: the operation is complete.
 * - `remainingMs`: milliseconds until the wait's deadline; `null` if it has none.
 * - `deferred`: the answer has grown too large. This wait and all later waits of the commit did
 *   nothing, and the run commits them again. The first outcome of an answer is never deferred, and
 *   neither is an effect. A commit with a deferred wait does not make its transition.
 *
 * @category Commits
 */
export type OperationResult = { outcome: Outcome } | { remainingMs: number | null } | { deferred: true };

/** Whether an operation may have to wait. */
export function isWait<T extends Effect | Wait>(operation: T): operation is T & Wait {
  // Every wait has a `timeoutMs`, which may be `null`. No effect has one.
  return "timeoutMs" in operation;
}
