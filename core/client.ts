/**
 * What can be done with workflows from outside: the same over a database (`Parley`) and over HTTP (`connect`).
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey } from "./channel.ts";
import type { WorkflowStatus } from "./driver/driver.ts";
import type { Duration } from "./values/checks.ts";
import type { SerializedError } from "./values/serialized_error.ts";
import type { Workflow } from "./workflow.ts";

/**
 * The operations from outside.
 *
 * @category From outside
 */
export interface Client {
  /**
   * Starts a workflow. An ID that exists is that workflow, and nothing is run twice.
   *
   * @throws {UnknownWorkflowError} If the name is not known here and `enqueue` is not set.
   * @throws {WorkflowConflictError} If the ID exists under another workflow name.
   * @throws {ValidationError} @throws {ValueTooLargeError} Nothing was written.
   */
  start<I, O>(workflow: Workflow<I, O> | string, input: NoInfer<I>, options?: StartOptions): Promise<StartedHandle<O>>;
  /** A handle on a workflow, whether it exists or not. No I/O. */
  handle<O = unknown>(workflowId: string): WorkflowHandle<O>;
  /** What the store knows of a workflow. @throws {WorkflowNotFoundError} */
  status(workflowId: string): Promise<WorkflowInfo>;
  /**
   * Waits until a workflow has ended, and returns its result. The wait goes on through an outage of the store.
   *
   * @throws {WorkflowFailedError} @throws {WorkflowCancelledError} @throws {WorkflowNotFoundError}
   * @throws {TimeoutError} After `timeout`; default none.
   */
  result<O = unknown>(workflowId: string, options?: WaitOptions): Promise<O>;
  /**
   * Sends a message. When it returns, the workflow can receive the message, whatever happens.
   *
   * @throws {WorkflowNotFoundError} @throws {WorkflowEndedError} @throws {IdempotencyConflictError} @throws {ValidationError}
   * @throws {ValueTooLargeError} Nothing was sent.
   */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** Sends messages, all or none. The same idempotency key twice for one destination is refused; an empty list does nothing. */
  sendAll(messages: readonly OutgoingMessage[]): Promise<SendReceipt[]>;
  /**
   * The latest value of an event. Waits if there is none, also for a workflow that does not exist yet, and through an outage of the store.
   *
   * @throws {WorkflowEndedError} If the workflow has ended without the event, or does so meanwhile.
   * @throws {UnreadableValueError} If the value cannot be decoded here; `at` is its version.
   * @throws {TimeoutError} After `timeout`; default 60 s.
   */
  getEvent<T>(workflowId: string, key: EventKey<T> | string, options?: WaitOptions): Promise<T>;
  /**
   * {@linkcode Client.getEvent} with the version of the value. `after`: waits for a version above this one; it rejects with `VersionOutOfRangeError` if that is
   * above the version that there is, or there is none.
   */
  getEventEntry<T>(
    workflowId: string,
    key: EventKey<T> | string,
    options?: WaitOptions & { after?: number },
  ): Promise<EventEntry<T>>;
  /**
   * The current value of an event, then every later one it can see (the latest wins when several come at once), until the workflow ends or is purged. It waits
   * for a workflow that does not exist yet, and goes on through an outage of the store. Watching rejects with `VersionOutOfRangeError` if `after` is above the version that there is, or there is none.
   */
  watchEvent<T>(workflowId: string, key: EventKey<T> | string, options?: WatchEventOptions): EventReader<T>;
  /**
   * Reads a stream, live. Reading rejects with `WorkflowNotFoundError` if there is no such workflow, with `OffsetOutOfRangeError` if `from` is beyond the end of
   * the stream, and with `UnreadableValueError` at a value that cannot be decoded here. It goes on through an outage of the store.
   */
  readStream<T>(workflowId: string, key: StreamKey<T> | string, options?: ReadStreamOptions): StreamReader<T>;
  /** Workflows, newest first, without their inputs and outputs unless `include` asks for them. */
  list(query?: ListOptions): Promise<WorkflowPage>;
  /**
   * Cancels a workflow: at once where it waits, else at its next operation. Cancelling it again does nothing.
   *
   * @throws {WorkflowNotFoundError} @throws {WorkflowEndedError} If it ended otherwise.
   */
  cancel(workflowId: string): Promise<void>;
  /**
   * Continues a workflow that was cancelled or used up its recovery attempts, and tries a parked one at once. Any other
   * workflow that has not ended stays as it is.
   *
   * @throws {WorkflowNotFoundError} @throws {WorkflowEndedError} If it ended otherwise.
   */
  resume(workflowId: string): Promise<void>;
}

/**
 * A workflow, from outside.
 *
 * @category From outside
 */
export interface WorkflowHandle<out O> {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** {@linkcode Client.status} of this workflow. */
  status(): Promise<WorkflowInfo>;
  /** {@linkcode Client.result} of this workflow. */
  result(options?: WaitOptions): Promise<O>;
  /** {@linkcode Client.send} to this workflow. */
  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** {@linkcode Client.getEvent} of this workflow. */
  getEvent<T>(key: EventKey<T> | string, options?: WaitOptions): Promise<T>;
  /** {@linkcode Client.getEventEntry} of this workflow. */
  getEventEntry<T>(key: EventKey<T> | string, options?: WaitOptions & { after?: number }): Promise<EventEntry<T>>;
  /** {@linkcode Client.watchEvent} of this workflow. */
  watchEvent<T>(key: EventKey<T> | string, options?: WatchEventOptions): EventReader<T>;
  /** {@linkcode Client.readStream} of this workflow. */
  readStream<T>(key: StreamKey<T> | string, options?: ReadStreamOptions): StreamReader<T>;
  /** {@linkcode Client.cancel} of this workflow. */
  cancel(): Promise<void>;
}

/**
 * What {@linkcode Client.start} returns.
 *
 * @category From outside
 */
export interface StartedHandle<out O> extends WorkflowHandle<O> {
  /** Whether this call made the workflow. `false`: the ID existed, and nothing was written. */
  readonly created: boolean;
}

/**
 * Options of {@linkcode Client.start}.
 *
 * @category From outside
 */
export interface StartOptions {
  /** 1 to 255 characters. Default a new UUID. */
  workflowId?: string;
  /** `false`, the default: run it here, now. `true`: store it `ENQUEUED`; a `sweep` or `work` that knows it runs it. */
  enqueue?: boolean;
}

/**
 * A message of {@linkcode Client.sendAll}.
 *
 * @category Messages
 */
export interface OutgoingMessage<T = unknown> extends SendOptions<T> {
  /** The workflow that is to receive it. */
  destinationId: string;
  /** The message. */
  message: T;
}

/**
 * Options of a wait.
 *
 * @category From outside
 */
export interface WaitOptions {
  /** How long at most; 0 takes what is there. */
  timeout?: Duration;
  /** Ends the wait early: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * A value of an event, and which one it is.
 *
 * @category Events
 */
export interface EventEntry<out T> {
  /** 1 for the first value that was set, one more for each later one. */
  version: number;
  /** The value. */
  value: T;
}

/**
 * Options of {@linkcode Client.watchEvent}.
 *
 * @category Events
 */
export interface WatchEventOptions {
  /** Only versions above this one: the last that the caller has seen. Default 0. */
  after?: number;
  /** Ends the watching early: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Watches an event, as values or with their versions. Each iteration begins at `after` again.
 *
 * @category Events
 */
export interface EventReader<out T> extends AsyncIterable<T> {
  /** The values with their versions. */
  entries(): AsyncIterable<EventEntry<T>>;
}

/**
 * Options of {@linkcode Client.readStream}.
 *
 * @category Streams
 */
export interface ReadStreamOptions {
  /** The first offset to read; 0 or more. Default 0. */
  from?: number;
  /** `true`, the default: until the stream is closed or its workflow inactive. `false`: what is there now. */
  wait?: boolean;
  /** Ends the reading early: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `Parley.readStreamPages`. */
export interface ReadStreamPagesOptions extends Omit<ReadStreamOptions, "from"> {
  /** The first offset to read, 0 or more, or `"end"`: only what comes from now on. Default 0. */
  from?: number | "end";
  /** How many values a page has at most; 1 to 1,000. Default 1,000. */
  limit?: number;
}

/**
 * What one look at a stream found.
 *
 * @category Streams
 */
export interface StreamPage<out T> {
  /** The offset of the first value; where there is none, of the next one to come. */
  from: number;
  /** The values. */
  values: T[];
  /** Where to read on. */
  nextOffset: number;
  /** Whether there was no more at that moment. */
  atEnd: boolean;
  /** Whether nothing will come any more: the stream was closed, or its workflow is inactive, and the page is at the end. */
  closed: boolean;
}

/**
 * Reads a stream, as values or with their offsets. Each iteration begins at `from` again.
 *
 * @category Streams
 */
export interface StreamReader<out T> extends AsyncIterable<T> {
  /** The values with their offsets. */
  entries(): AsyncIterable<{ offset: number; value: T }>;
  /** All values at once. `closed`: nothing will come any more. `nextOffset`: where to read on. */
  collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }>;
  /** The values as a `ReadableStream`, which reads as fast as it is read. */
  toReadableStream(): ReadableStream<T>;
}

/**
 * Options of {@linkcode Client.list}.
 *
 * @category From outside
 */
export interface ListOptions {
  /** Only these. Default all. */
  status?: WorkflowStatus | WorkflowStatus[];
  /** Only workflows of this name. */
  name?: string;
  /** `true`: only workflows that are parked, those with a {@linkcode WorkflowInfo.problem}. Default `false`. */
  problem?: boolean;
  /** `"values"`: with inputs and outputs. Then a page may have fewer workflows than `limit`, to stay within a few MiB. Default without. */
  include?: "values";
  /** How many at most; 1 to 1,000. Default 50. */
  limit?: number;
  /** The `cursor` of the page before. */
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
  /** For the next page; not there on the last one. */
  cursor?: string;
}

/**
 * What the store knows of a workflow.
 *
 * @category From outside
 */
export interface WorkflowInfo {
  /** Its ID. */
  workflowId: string;
  /** Its definition's name. */
  name: string;
  /** Where it is. */
  status: WorkflowStatus;
  /** What it waits for, while it is suspended. */
  waiting?: WaitInfo;
  /** What it was started with. In a list only with `include: "values"`. */
  input?: unknown;
  /** What it returned, after `SUCCESS`. In a list only with `include: "values"`. */
  output?: unknown;
  /** Why it failed, after `ERROR` or `MAX_RECOVERY_ATTEMPTS_EXCEEDED`. A list without values leaves out a very large one. */
  error?: SerializedError;
  /** Why it is parked: its code does not fit its journal, or a recorded value cannot be decoded. It is tried again, and goes on when it fits. */
  problem?: SerializedError;
  /** The values that cannot be decoded here, and so are left out above: another runtime or codec wrote them. Only there if there are any. */
  unreadable?: ("input" | "output" | "error" | "problem")[];
  /** Epoch milliseconds, by the store's clock. */
  createdAt: number;
  /** Epoch milliseconds of the last change of its status, wait or journal, by the store's clock. */
  updatedAt: number;
  /** How often it was taken over from a dead run since its last progress. */
  recoveryAttempts: number;
}

/**
 * What a suspended workflow waits for.
 *
 * @category From outside
 */
export interface WaitInfo {
  /** Its open operations, as in `recv "payment"`. */
  operations: string[];
  /** The earliest of their deadlines, in epoch milliseconds by the store's clock; not there if there is none. */
  until?: number;
}
