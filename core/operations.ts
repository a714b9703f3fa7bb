/**
 * What a run writes: operations, what came of them, and how it lets go of its workflow. Types only; see `driver.ts`.
 *
 * @module
 */

import type { NewMessage, NewWorkflow } from "./records.ts";

/** How a run may end its workflow. `CANCELLED` comes from `Driver.control` alone. */
export type EndStatus = "SUCCESS" | "ERROR" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";

/** See `Driver.commit`. */
export interface CommitRequest {
  /** The workflow that the run owns. */
  workflowId: string;
  /** The epoch of its lease. */
  epoch: number;
  /** The owner of its lease. Epochs begin anew with a workflow that is created after a purge; an owner never comes again. */
  owner: string;
  /** 1, 2, 3, ... within the epoch: a run has one commit under way at a time. */
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
 * - `end`: every waiter for its result becomes due.
 */
export type Transition =
  | { to: "suspend" }
  | { to: "yield" }
  | { to: "end"; status: EndStatus; output: string | null; error: string | null };

/**
 * One operation of a workflow. `label` names it in the journal, as in `step "charge"`. With `position: null` it was made
 * inside a step: it is applied and not recorded; only `send`, `setEvent` and `writeStream` may be.
 */
export type Operation = { position: number | null; label: string } & (Effect | Wait);

/**
 * An operation that has its outcome at once.
 *
 * - `record`: writes an outcome that the run itself produced, of a step, `now` or `uuid`.
 * - `send`: as `Driver.send`, for one message.
 * - `setEvent`: inserts or replaces, raises the key's version by one from 1, makes the key's waiters due.
 * - `writeStream`: appends at the key's next offset, from 0.
 * - `closeStream`: refuses later writes and closes.
 * - `start`: inserts a workflow that is `PENDING` and due, if its ID is new.
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
 * none); later calls look again and ignore `timeoutMs`. What is there wins over a deadline that has passed.
 *
 * - `receive`: takes the oldest message over all the topics and records it as received.
 * - `observeEvent`: reads the latest value, or registers as a waiter, also with a workflow that does not exist yet.
 * - `observeResult`: reads how a workflow ended, or registers as a waiter, also with a workflow that does not exist yet.
 * - `sleep`: its outcome is `done` when the deadline has passed.
 */
export type Wait =
  | { type: "receive"; topics: readonly string[]; timeoutMs: number | null }
  | { type: "observeEvent"; workflowId: string; key: string; timeoutMs: number | null }
  | { type: "observeResult"; workflowId: string; timeoutMs: number | null }
  | { type: "sleep"; timeoutMs: number };

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
  /** Which it is. */
  tag: OutcomeTag;
  /** As the table says. */
  value?: string | null;
  /** The topic of a received message. */
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

/** See `Driver.commit`. */
export type CommitResult = Committed | { state: "lost" } | { state: "cancelled" };

/** A commit that was let through. */
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

/** The outcome, or how many milliseconds an open wait still has (`null`: no deadline). */
export type OperationResult = { outcome: Outcome } | { remainingMs: number | null };
