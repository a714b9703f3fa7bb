/**
 * What an observer of a `Parley` is told. Types only.
 *
 * @module
 */

import type { EndStatus, OutcomeTag, Transition } from "./driver/driver.ts";

/**
 * Follows what a `Parley` does, for traces, metrics or logs. Pass it as `ParleyOptions.observer`.
 *
 * Each method is called when something begins. It may return an object with an `end` method, which
 * is called once when that thing is over. All methods are optional, and without an observer none of
 * this costs anything.
 *
 * An observer gets names, IDs, positions, counts, durations and error codes. It never gets an
 * input, an output, a message, a value of an event or stream, or the text of an error.
 *
 * A method must return quickly, because the work waits for it. If a method throws, the work
 * continues as if the method were absent, and `onError` gets the first such error of a `Parley`.
 *
 * @example Count the runs of each workflow
 * ```ts
 * import { memoryDriver, type Observer, Parley, workflow } from "@parley/parley";
 * import assert from "node:assert/strict";
 *
 * const ends: string[] = [];
 * const observer: Observer = {
 *   onRun: ({ name }) => ({ end: ({ end, status }) => void ends.push(`${name}: ${end} ${status}`) }),
 * };
 *
 * const greet = workflow("greet", (_ctx, name: string) => `Hello ${name}`);
 * await using parley = new Parley({ driver: memoryDriver(), workflows: [greet], observer });
 * await (await parley.start(greet, "Ada")).result();
 * await parley.idle();
 * assert.deepEqual(ends, ["greet: finished SUCCESS"]);
 * ```
 *
 * @category Telemetry
 */
export interface Observer {
  /** A caller outside of workflows starts a workflow. Called before the caller awaits anything. */
  onStart?(start: ObservedStart): SendObserver<StartEnd> | void;
  /** A caller outside of workflows sends messages. Called before the caller awaits anything. */
  onSend?(send: ObservedSend): SendObserver<SendEnd> | void;
  /** A run of a workflow begins here, at the start of the workflow or when it continues. */
  onRun?(run: ObservedRun): RunObserver | void;
  /** A call of `sweep` begins. */
  onSweep?(sweep: ObservedSweep): EndObserver<SweepEnd> | void;
  /** The driver is called. A retry is a call of its own. */
  onRequest?(request: ObservedRequest): EndObserver<RequestEnd> | void;
}

/**
 * Is told when something is over.
 *
 * @category Telemetry
 */
export interface EndObserver<in End> {
  /** Called once, when it is over. */
  end?(end: End): void;
}

/**
 * Follows a start or a send.
 *
 * @category Telemetry
 */
export interface SendObserver<in End> extends EndObserver<End> {
  /**
   * A W3C `traceparent`. It is stored with the input or the message, in about 60 bytes. The observer
   * gets it back in the runs of the workflow, or when the message is received, in any isolate. Any
   * other text is ignored.
   */
  readonly traceparent?: string | undefined;
}

/**
 * Follows a run of a workflow.
 *
 * @category Telemetry
 */
export interface RunObserver extends EndObserver<RunEndInfo> {
  /**
   * Calls the workflow's code inside a scope, such as a context in which a span is active. It must
   * call `code` once, before it returns.
   */
  within?(code: () => void): void;
  /**
   * An operation begins. A replay of a recorded operation is not reported. A wait that is still open
   * when its run ends is reported again by the next run.
   */
  onOperation?(operation: ObservedOperation): SendObserver<OperationEnd> | void;
  /** A try of a step begins. */
  onStep?(step: ObservedStep): StepObserver | void;
  /** A commit begins, which writes operations or renews the lease. */
  onCommit?(commit: ObservedCommit): EndObserver<CommitEnd> | void;
}

/**
 * Follows a try of a step.
 *
 * @category Telemetry
 */
export interface StepObserver extends EndObserver<StepEnd> {
  /** Calls the step's code inside a scope. See {@linkcode RunObserver.within}. */
  within?(code: () => void): void;
  /** The step sends a message through its `StepContext`. */
  onSend?(send: ObservedSend): SendObserver<SendEnd> | void;
}

/**
 * A workflow that a caller starts.
 *
 * @category Telemetry
 */
export interface ObservedStart {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The name of its definition. */
  readonly name: string;
  /** Whether it is stored for a sweep, and does not run here at once. */
  readonly enqueue: boolean;
  /** The `traceparent` that the caller gave. */
  readonly traceparent?: string | undefined;
}

/**
 * How a start ended.
 *
 * @category Telemetry
 */
export interface StartEnd extends Ended {
  /** Whether the call created the workflow. Absent if it failed. */
  readonly created?: boolean;
}

/**
 * Messages that are sent together.
 *
 * @category Telemetry
 */
export interface ObservedSend {
  /** The messages, at least one. */
  readonly messages: readonly ObservedMessage[];
}

/**
 * A message, without its value.
 *
 * @category Telemetry
 */
export interface ObservedMessage {
  /** The ID of the workflow that receives it. */
  readonly destinationId: string;
  /** Its topic; `""` is the queue of messages without a topic. */
  readonly topic: string;
  /** The `traceparent` that the sender gave. */
  readonly traceparent?: string | undefined;
}

/**
 * How a send ended.
 *
 * @category Telemetry
 */
export interface SendEnd extends Ended {
  /** The IDs of the messages. Empty if the send failed. */
  readonly messageIds: readonly string[];
}

/**
 * A run of a workflow.
 *
 * @category Telemetry
 */
export interface ObservedRun {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** The name of its definition. */
  readonly name: string;
  /** The epoch of the run's lease, from 1. Each run of a workflow has a higher one. */
  readonly epoch: number;
  /** When the workflow was created, in epoch milliseconds by the store's clock. */
  readonly createdAt: number;
  /** How often the workflow was taken over from a dead run since its last progress. */
  readonly recoveryAttempts: number;
  /** The `traceparent` that was stored with the workflow's input. */
  readonly traceparent?: string | undefined;
}

/**
 * How a run ended. Only after `finished` has the workflow ended too.
 *
 * - `finished`: the workflow has ended.
 * - `suspended`: the workflow waits.
 * - `yielded`: another run continues at once.
 * - `parked`: the code does not fit the stored data, so the workflow waits for other code.
 * - `cancelled`: the workflow was cancelled.
 * - `lost`: another run has the workflow.
 * - `failed`: the store has failed, so the lease will lapse.
 *
 * @category Telemetry
 */
export type RunEnd = "finished" | "suspended" | "yielded" | "parked" | "cancelled" | "lost" | "failed";

/**
 * The end of a run.
 *
 * @category Telemetry
 */
export interface RunEndInfo extends Ended {
  /** How the run ended. */
  readonly end: RunEnd;
  /** The workflow's status, after `finished`. */
  readonly status?: EndStatus;
}

/**
 * The kinds of operations of a workflow.
 *
 * @category From outside
 */
export type HistoryKind =
  | "step"
  | "sleep"
  | "now"
  | "uuid"
  | "patched"
  | "send"
  | "recv"
  | "recvAny"
  | "check"
  | "setEvent"
  | "getEvent"
  | "writeStream"
  | "closeStream"
  | "start"
  | "result";

/**
 * The kind of an operation. A later version may have more.
 *
 * @category Telemetry
 */
export type OperationKind = HistoryKind | (string & Record<never, never>);

/**
 * An operation of a workflow's code.
 *
 * @category Telemetry
 */
export interface ObservedOperation {
  /** Its position in the journal, from 0. */
  readonly position: number;
  /** Its kind. Later versions may add kinds. */
  readonly kind: OperationKind;
  /** The name of its step, topic, event, stream or workflow, or the names of its topics. */
  readonly name?: string | readonly string[] | undefined;
  /** The ID of the other workflow, for `send`, `start`, `getEvent` and `result`. */
  readonly workflowId?: string | undefined;
  /** Whether an earlier run began it. */
  readonly resumed: boolean;
  /** The `traceparent` that the code gave to `send`. */
  readonly traceparent?: string | undefined;
}

/**
 * How an operation ended.
 *
 * @category Telemetry
 */
export interface OperationEnd extends Ended {
  /**
   * The kind of its outcome, as `Outcome` of `@parley/parley/driver` describes. `left`: the run ended
   * first.
   */
  readonly outcome: OutcomeTag | "left";
  /** The topic of the received message. */
  readonly topic?: string;
  /** The `traceparent` that was stored with the received message. */
  readonly traceparent?: string;
}

/**
 * A try of a step.
 *
 * @category Telemetry
 */
export interface ObservedStep {
  /** The step's position in the journal. */
  readonly position: number;
  /** The step's name. */
  readonly name: string;
  /** The number of the try, from 1. */
  readonly attempt: number;
}

/**
 * How a try of a step ended.
 *
 * @category Telemetry
 */
export interface StepEnd extends Ended {
  /** `abandoned`: the run ended first, so a later run makes the try again. */
  readonly outcome: "value" | "error" | "abandoned";
}

/**
 * A commit of a run.
 *
 * @category Telemetry
 */
export interface ObservedCommit {
  /** The number of the commit in its run, from 1. */
  readonly number: number;
  /** How many operations it has, with the looks at open waits. */
  readonly operations: number;
  /** What happens to the workflow's lease. `renew`: the run goes on. */
  readonly transition: Transition["to"] | "renew";
}

/**
 * How a commit ended.
 *
 * @category Telemetry
 */
export interface CommitEnd extends Ended {
  /**
   * `held` and `released`: it was written, and the run goes on or not. `lost` and `cancelled`:
   * nothing was written. Absent if the store failed.
   */
  readonly state?: "held" | "released" | "lost" | "cancelled";
}

/**
 * A call of `sweep`.
 *
 * @category Telemetry
 */
export interface ObservedSweep {
  /** The largest number of workflows to take. */
  readonly limit: number;
}

/**
 * How a sweep ended. The counts are 0 if it failed.
 *
 * @category Telemetry
 */
export interface SweepEnd extends Ended {
  /** How many workflows were claimed. */
  readonly claimed: number;
  /** How many of the claimed workflows ended. */
  readonly finished: number;
  /** How many of the claimed workflows wait again. */
  readonly suspended: number;
}

/**
 * A call of the driver.
 *
 * @category Telemetry
 */
export interface ObservedRequest {
  /** The method of the driver, such as `commit`. */
  readonly method: string;
  /** The number of the try, from 1. */
  readonly attempt: number;
}

/**
 * How a call of the driver ended.
 *
 * @category Telemetry
 */
export interface RequestEnd extends Ended {
  /** Whether the error may pass. Absent without an error. */
  readonly retryable?: boolean;
}

/**
 * What all ends have in common.
 *
 * @category Telemetry
 */
export interface Ended {
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /**
   * The kind of error, if there was one: the code of a `ParleyError`, the name of a class of
   * JavaScript such as `TypeError`, or `error` for anything else. Names that code gives to its own
   * errors are left out, because they may contain data.
   */
  readonly error?: string;
}
