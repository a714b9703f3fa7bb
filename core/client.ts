/**
 * The operations on workflows from outside. `Parley` performs them on a store, and a client from
 * `connect` performs them over HTTP.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey } from "./channel.ts";
import type { WorkflowStatus } from "./driver/driver.ts";
import type { EventInfo, HistoryOptions, HistoryPage, MessagePage, MessagesOptions, StreamInfo } from "./inspection.ts";
import type { EventEntry, EventReader, ReadStreamOptions, StreamReader, WatchEventOptions } from "./readers.ts";
import type { Duration } from "./values/checks.ts";
import type { SerializedError } from "./values/serialized_error.ts";
import type { StartArguments, Workflow } from "./workflow.ts";
import type { WaitOptions } from "./wait_options.ts";

/** The default timeout of {@linkcode Client.getEvent}. */
export const GET_EVENT_TIMEOUT: Duration = "60s";

/**
 * The operations on workflows from outside.
 *
 * @category From outside
 */
export interface Client {
  /**
   * Starts a workflow. If the ID exists, this returns the existing workflow and runs nothing twice.
   *
   * @throws {UnknownWorkflowError} If the name is not known here and `enqueue` is not set.
   * @throws {WorkflowConflictError} If the ID exists under another workflow name.
   * @throws {ValidationError} If the input or an option is not legal. Nothing was written.
   * @throws {ValueTooLargeError} If the input is too large. Nothing was written.
   */
  start<I, O>(
    workflow: Workflow<unknown, O, I> | string,
    ...input: StartArguments<I, StartOptions>
  ): Promise<StartedHandle<O>>;
  /** Returns a handle on a workflow, which need not exist. This does no I/O. */
  handle<O = unknown>(workflowId: string): WorkflowHandle<O>;
  /**
   * Returns the state of a workflow in the store.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   */
  status(workflowId: string): Promise<WorkflowInfo>;
  /**
   * Waits until a workflow has ended, and returns its result. The wait goes on through an outage of
   * the store.
   *
   * @throws {WorkflowFailedError} If the workflow failed. Its error is the cause.
   * @throws {WorkflowCancelledError} If the workflow was cancelled.
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {TimeoutError} If the time is up. Default none.
   */
  result<O = unknown, const E = O>(workflowId: string, options?: WaitOptions<E>): Promise<O | E>;
  /**
   * Sends a message. Once `send` returns, the workflow can receive the message, whatever happens.
   * After an error from the list below, nothing was sent.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {WorkflowEndedError} If the workflow has ended.
   * @throws {IdempotencyConflictError} If the idempotency key was used with another topic.
   * @throws {ValidationError} If the message or an option is not legal.
   * @throws {ValueTooLargeError} If the message is too large.
   */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /**
   * Sends messages, all or none. An empty list does nothing. The errors are those of
   * {@linkcode Client.send}.
   *
   * @throws {IdempotencyConflictError} If an idempotency key was used with another topic, or occurs
   * twice for one destination.
   */
  sendAll<T extends readonly unknown[]>(messages: OutgoingMessages<T>): Promise<SendReceipt[]>;
  /**
   * Returns the latest value of an event, and waits if there is none. The workflow need not exist
   * yet. The wait goes on through an outage of the store.
   *
   * @throws {WorkflowEndedError} If the workflow has ended without the event, or does so during the
   * wait.
   * @throws {UnreadableValueError} If the value cannot be decoded here. Its `at` is the version.
   * @throws {TimeoutError} If the time is up. Default after 60 s.
   */
  getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options?: WaitOptions<E>,
  ): Promise<T | E>;
  /**
   * Works like {@linkcode Client.getEvent}, and also returns the version of the value.
   *
   * @param options `after`: waits for a version above this one, default 0.
   * @throws {VersionOutOfRangeError} If `after` is above the current version. An event that is not
   * set has version 0.
   */
  getEventEntry<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options?: WaitOptions & { after?: number },
  ): Promise<EventEntry<T>>;
  /**
   * Yields the current value of an event, and then each later value, until the workflow ends or is
   * purged. If several values come at once, only the latest may be seen.
   *
   * The workflow need not exist yet. Watching goes on through an outage of the store. It rejects
   * with `VersionOutOfRangeError` if `after` is above the current version. An event that is not set
   * has version 0.
   */
  watchEvent<T>(workflowId: string, key: EventKey<T, unknown> | string, options?: WatchEventOptions): EventReader<T>;
  /**
   * Reads a stream, and follows it as it grows. Reading goes on through an outage of the store.
   *
   * Reading rejects with `WorkflowNotFoundError` if the workflow does not exist. It rejects with
   * `OffsetOutOfRangeError` if `from` is beyond the end of the stream. At a value that cannot be
   * decoded here, it rejects with `UnreadableValueError`.
   */
  readStream<T>(workflowId: string, key: StreamKey<T, unknown> | string, options?: ReadStreamOptions): StreamReader<T>;
  /** Lists workflows, the newest first, with inputs and outputs only if `include` says so. */
  list(query?: ListOptions): Promise<WorkflowPage>;
  /**
   * Returns a page of a workflow's journal: its operations with their times, tries and outcomes.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   */
  history(workflowId: string, options?: HistoryOptions): Promise<HistoryPage>;
  /**
   * Returns a page of a workflow's messages, by default those that it has not received yet.
   * Messages that it received before it was last continued as new are left out.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   */
  messages(workflowId: string, options?: MessagesOptions): Promise<MessagePage>;
  /**
   * Returns the events of a workflow, sorted by their keys.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   */
  events(workflowId: string): Promise<EventInfo[]>;
  /**
   * Returns the streams of a workflow, sorted by their keys.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   */
  streams(workflowId: string): Promise<StreamInfo[]>;
  /**
   * Cancels a workflow. If its code is waiting, the wait ends at once. Otherwise the code stops at
   * its next operation. Cancelling a workflow again does nothing.
   *
   * @param options `children`: whether to cancel the workflows that it has started too, those that
   * they have started, and so on, all in one write. Default `false`.
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {WorkflowEndedError} If the workflow has ended in another way.
   */
  cancel(workflowId: string, options?: { children?: boolean }): Promise<void>;
  /**
   * Continues a workflow that failed, was cancelled or used up its recovery attempts. It also tries
   * a parked workflow at once. Any other workflow that has not ended stays as it is.
   *
   * A workflow that failed with the recorded error of an operation tries that operation again. For
   * this, the journal loses the entry of the operation and all entries of higher positions. Messages
   * that those entries have received are unread again, in their old places. What they sent, started
   * or published stays, and happens again.
   *
   * @param options `from`: the position from which on to drop entries, from 0. The workflow must
   * have ended, in any status but `SUCCESS`.
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {WorkflowEndedError} If the workflow is in `SUCCESS`.
   * @throws {WorkflowActiveError} If `from` is given, and the workflow has not ended.
   * @throws {ValidationError} If `from` is not legal.
   */
  resume(workflowId: string, options?: { from?: number }): Promise<void>;
  /**
   * Removes a workflow that has ended, with its journal, messages, events and streams. Its children
   * stay.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {WorkflowActiveError} If the workflow has not ended.
   */
  delete(workflowId: string): Promise<void>;
}

/**
 * A handle on a workflow, from outside. It has the operations of {@linkcode Client} that concern
 * one workflow, except `resume`.
 *
 * @category From outside
 */
export interface WorkflowHandle<out O> {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** See {@linkcode Client.status}. */
  status(): Promise<WorkflowInfo>;
  /** See {@linkcode Client.result}. */
  result<const E = O>(options?: WaitOptions<E>): Promise<O | E>;
  /** See {@linkcode Client.send}. */
  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** See {@linkcode Client.getEvent}. */
  getEvent<T, const E = T>(key: EventKey<T, unknown> | string, options?: WaitOptions<E>): Promise<T | E>;
  /** See {@linkcode Client.getEventEntry}. */
  getEventEntry<T>(
    key: EventKey<T, unknown> | string,
    options?: WaitOptions & { after?: number },
  ): Promise<EventEntry<T>>;
  /** See {@linkcode Client.watchEvent}. */
  watchEvent<T>(key: EventKey<T, unknown> | string, options?: WatchEventOptions): EventReader<T>;
  /** See {@linkcode Client.readStream}. */
  readStream<T>(key: StreamKey<T, unknown> | string, options?: ReadStreamOptions): StreamReader<T>;
  /** See {@linkcode Client.cancel}. */
  cancel(options?: { children?: boolean }): Promise<void>;
}

/**
 * The handle that {@linkcode Client.start} returns.
 *
 * @category From outside
 */
export interface StartedHandle<out O> extends WorkflowHandle<O> {
  /** Whether this call created the workflow. If `false`, the ID existed and nothing was written. */
  readonly created: boolean;
}

/**
 * Options of {@linkcode Client.start}.
 *
 * @category From outside
 */
export interface StartOptions {
  /** The workflow's ID, 1 to 255 characters. Default a new UUID. */
  workflowId?: string;
  /**
   * Whether to store the workflow as `ENQUEUED`, for a `sweep` or `work` that knows its name.
   * Default `false`, which runs it here at once.
   */
  enqueue?: boolean;
  /**
   * How long to wait before the workflow begins. It is stored as `ENQUEUED`, and due after that
   * time by the store's clock.
   */
  delay?: Duration;
  /**
   * When the workflow begins, as an instant of the store's clock in epoch milliseconds or as a
   * `Date`. It is stored as `ENQUEUED`, and due then. An instant in the past is due at once.
   */
  at?: Date | number;
  /**
   * The trace that the workflow belongs to, as a W3C `traceparent`. It travels with the input to the
   * observers of the workflow's runs. Default the trace that the observer of the starter gives, if
   * there is one. With such an observer, this is the parent of the span of the start.
   */
  traceparent?: string;
}

/**
 * A message of {@linkcode Client.sendAll}.
 *
 * @category Messages
 */
export interface OutgoingMessage<T = unknown> extends SendOptions<T> {
  /** The ID of the workflow that receives it. */
  destinationId: string;
  /** The message. */
  message: NoInfer<T>;
}

/**
 * The messages of {@linkcode Client.sendAll}. Each has the type that its topic says.
 *
 * @category Messages
 */
export type OutgoingMessages<T extends readonly unknown[]> = readonly [
  ...{ [Index in keyof T]: OutgoingMessage<T[Index]> },
];

/**
 * Options of {@linkcode Client.list}.
 *
 * @category From outside
 */
export interface ListOptions {
  /** The status or statuses to list. Default all. */
  status?: WorkflowStatus | WorkflowStatus[];
  /** The workflow name to list. Default all. */
  name?: string;
  /**
   * Whether to list only workflows with a `problem`, which were parked and have made no progress
   * since. Default `false`.
   */
  problem?: boolean;
  /** Whether to list only workflows that a `sweep` would find due now. Default `false`. */
  due?: boolean;
  /** The first characters of the IDs to list, up to 255. Default all. */
  idPrefix?: string;
  /** Lists only workflows that were created after this instant, in epoch milliseconds or as a `Date`. */
  createdAfter?: Date | number;
  /** Lists only workflows that were created before this instant, in epoch milliseconds or as a `Date`. */
  createdBefore?: Date | number;
  /**
   * `"values"` includes inputs and outputs, which are left out by default. A page may then have
   * fewer workflows than `limit`, to stay within a few MiB.
   */
  include?: "values";
  /** The largest number of workflows on a page, 1 to 1,000. Default 50. */
  limit?: number;
  /** The `cursor` of the previous page. Default the first page. */
  cursor?: string;
}

/**
 * A page of {@linkcode Client.list}.
 *
 * @category From outside
 */
export interface WorkflowPage {
  /** The workflows, newest first. */
  workflows: WorkflowInfo[];
  /** The cursor for the next page. Absent on the last page. */
  cursor?: string;
}

/**
 * The state of a workflow in the store.
 *
 * @category From outside
 */
export interface WorkflowInfo {
  /** The workflow's ID. */
  workflowId: string;
  /** The name of its definition. */
  name: string;
  /** The workflow's status. */
  status: WorkflowStatus;
  /** What it waits for, while it is suspended. */
  waiting?: WaitInfo;
  /** The input. A list has it only with `include: "values"`. */
  input?: unknown;
  /** The value that it returned, after `SUCCESS`. A list has it only with `include: "values"`. */
  output?: unknown;
  /**
   * The error after `ERROR` or `MAX_RECOVERY_ATTEMPTS_EXCEEDED`. A list without values leaves out a
   * very large error.
   */
  error?: SerializedError;
  /**
   * The error that parked the workflow, because its code does not fit its journal or a stored value
   * cannot be decoded. The workflow is tried again until it can go on.
   */
  problem?: SerializedError;
  /**
   * The operation whose recorded error ended the workflow, such as `step "charge"`. Only after
   * `ERROR`, and only if the workflow threw the very error that the operation gave it.
   */
  failed?: { position: number; operation: string };
  /**
   * The names of the fields that are absent because their values cannot be decoded here. Another
   * runtime or codec wrote those values. Absent if there are none.
   */
  unreadable?: ("input" | "output" | "error" | "problem")[];
  /** When it was created, in epoch milliseconds by the store's clock. */
  createdAt: number;
  /**
   * When it last changed, in epoch milliseconds by the store's clock. A take-over, a cancel, a
   * resume and every write of a run count as changes. A write that only renews the lease counts
   * too.
   */
  updatedAt: number;
  /** When it ended, in epoch milliseconds by the store's clock. */
  endedAt?: number;
  /** How many messages it has not received yet. Some stores leave it out of a list. */
  unread?: number;
  /** How often it was continued as new. */
  generation: number;
  /** How often it was taken over from a dead run since its last progress. */
  recoveryAttempts: number;
}

/**
 * What a suspended workflow waits for.
 *
 * @category From outside
 */
export interface WaitInfo {
  /** The labels of its open operations, as in `recv "payment"`. */
  operations: string[];
  /** Their earliest deadline, in epoch milliseconds by the store's clock. Absent if there is none. */
  until?: number;
}
