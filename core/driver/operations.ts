/**
 * What a run writes: operations, what came of them, and how it lets go of its workflow. Types only; see `driver.ts`.
 *
 * @module
 */

import type { NewMessage, NewWorkflow, Outcome } from "./records.ts";

/**
 * How a run may end its workflow. `CANCELLED` comes from `Driver.control` alone.
 *
 * @category Commits
 */
export type EndStatus = "SUCCESS" | "ERROR" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/**
 * See `Driver.commit`.
 *
 * @category Commits
 */
export interface CommitRequest {
  /** The workflow that the run owns. */
  workflowId: string;
  /** The epoch of its lease. */
  epoch: number;
  /** The owner of its lease. Epochs begin anew with a workflow that is created after a purge; an owner never comes again. */
  owner: string;
  /**
   * 1, 2, 3, ... within the epoch: a run has one commit under way at a time. The next one after the stored number is new, and a lower or equal one is
   * a repeat. A number that skips one means that the store has lost commits, as after a failover to an older copy: the run is `lost`.
   */
  number: number;
  /** For how long the lease holds from now on, in milliseconds. */
  leaseMs: number;
  /** Applied in this order. */
  operations: readonly Operation[];
  /** Made after the operations; `null`: the run goes on. */
  transition: Transition | null;
}

/**
 * How a run lets go of its workflow.
 *
 * - `suspend`: only if no operation of this call has an outcome; otherwise the lease is kept. The operations
 *   of the call are all the waits that are open: their topics and the earliest of their deadlines decide when it is due again.
 * - `yield`: due at once, for another run to carry on.
 * - `park`: the code does not fit the journal, or a stored value cannot be decoded. The workflow stays `PENDING`, is not held, and is due again after
 *   `delayMs`; messages and events do not make it due sooner, `control` with `resume` does. `problem` is the encoded error, and the record's `parks` goes
 *   up by one. A later commit that adds a journal entry, or begins a `pause` anew, or makes any other transition, clears both, and so does a cancel; a claim
 *   leaves them. Taking over a parked workflow is no recovery attempt.
 * - `end`: every waiter for its result or for one of its events becomes due.
 *
 * @category Commits
 */
export type Transition =
  | { to: "suspend" }
  | { to: "yield" }
  | { to: "park"; problem: string; delayMs: number }
  | { to: "end"; status: EndStatus; output: string | null; error: string | null };

/**
 * One operation of a workflow. `label` names it in the journal, as in `step "charge"`. With `position: null` it was made
 * inside a step: it is applied and not recorded; only `send`, `setEvent` and `writeStream` may be.
 *
 * @category Commits
 */
export type Operation = { position: number | null; label: string } & (Effect | Wait);

/**
 * An operation that has its outcome at once.
 *
 * - `record`: writes an outcome that the run itself produced: of a step, `now` or `uuid`, or the refusal of any operation. It completes an entry that a
 *   `pause` has opened at its position.
 * - `send`: as `Driver.send`, for one message.
 * - `setEvent`: inserts or replaces, raises the key's version by one from 1, makes the key's waiters due.
 * - `writeStream`: appends at the key's next offset, from 0.
 * - `closeStream`: refuses later writes and closes.
 * - `start`: inserts a workflow that is `PENDING` and due, if its ID is new. The committing workflow becomes its parent: see `Driver.purge`.
 *
 * @category Commits
 */
export type Effect =
  | { type: "record"; outcome: Outcome }
  | { type: "send"; message: NewMessage }
  | { type: "setEvent"; key: string; value: string }
  | { type: "writeStream"; key: string; value: string }
  | { type: "closeStream"; key: string }
  | { type: "start"; workflow: NewWorkflow };

/**
 * An operation that may have to wait. The first call opens the entry and fixes its deadline, `timeoutMs` from now (`null`:
 * none); later calls look again and ignore `timeoutMs`.
 *
 * What is there before the deadline passes is the outcome. After the deadline, only what came in time counts, whenever somebody looks: a message that was
 * sent, an event that was first set, or a workflow that ended no later than the deadline, by the store's clock. What came later is left alone, and the
 * outcome is `timeout`. The first call takes whatever is there.
 *
 * - `receive`: takes the oldest message over all the topics and records it as received.
 * - `observeEvent`: reads the latest value; `workflow_ended` if the workflow has ended without it. Otherwise registers as a waiter, also with a
 *   workflow that does not exist yet.
 * - `observeResult`: reads how a workflow ended, or registers as a waiter, also with a workflow that does not exist yet.
 * - `sleep`: its outcome is `done` when the deadline has passed.
 * - `pause`: the time between two tries of the step at this position. `attempts` is the number of tries that have failed. A call with a higher number than
 *   the entry's opens the entry or moves it on: the number is stored, and the deadline becomes `timeoutMs` from now. Any other call looks. The result is
 *   always how long is left, down to `remainingMs: 0`, and never an outcome: a `record` at the same position completes the entry. A suspend
 *   with a `pause` that has 0 left is refused, as if the pause had an outcome.
 *
 * `started: true` on an observe says that this workflow has started the observed one: if that does not exist any more, the outcome is
 * `workflow_not_found`, also after the deadline.
 *
 * `together: true` on an `observeResult` says that the run cannot go on before all such waits of its have an outcome, unless one of those workflows fails. While
 * it is suspended, a `SUCCESS` makes it due only if it was the last of them; any other end makes it due at once.
 *
 * @category Commits
 */
export type Wait =
  | { type: "receive"; topics: readonly string[]; timeoutMs: number | null }
  | { type: "observeEvent"; workflowId: string; key: string; timeoutMs: number | null; started: boolean }
  | { type: "observeResult"; workflowId: string; timeoutMs: number | null; started: boolean; together: boolean }
  | { type: "sleep"; timeoutMs: number }
  | { type: "pause"; attempts: number; timeoutMs: number };

/**
 * See `Driver.commit`.
 *
 * @category Commits
 */
export type CommitResult = Committed | { state: "lost" } | { state: "cancelled" };

/**
 * A commit that was let through.
 *
 * @category Commits
 */
export interface Committed {
  /** `released`: the transition was made. `held`: there was none, or a suspend found something. */
  state: "held" | "released";
  /** One for each operation, in the same order. */
  results: OperationResult[];
  /** Workflows that this commit made due. */
  woken: string[];
  /** The store's time, in epoch milliseconds. */
  now: number;
}

/**
 * The outcome, or how many milliseconds an open wait still has (`null`: no deadline).
 *
 * `deferred`: the answer has grown too large. This wait and all later ones of the commit did nothing; the run commits them again. The first outcome of an
 * answer is never deferred, and neither is an effect. A commit with a deferred wait does not make its transition.
 *
 * @category Commits
 */
export type OperationResult = { outcome: Outcome } | { remainingMs: number | null } | { deferred: true };
