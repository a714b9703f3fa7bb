/**
 * Workflow definitions, and what a workflow's code may do.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey, Topic } from "./channel.ts";
import { checkName, checkSchema, checkWholeNumber, type Duration } from "./values/checks.ts";
import type { StandardSchemaV1 } from "./standard_schema.ts";
import { quote } from "./errors.ts";

/**
 * A workflow's definition. Made with {@linkcode workflow}.
 *
 * @category Workflows
 */
export interface Workflow<Input, Output> {
  /** Its name, under which a store remembers it. */
  readonly name: string;
  /** Checks inputs where a workflow is started. */
  readonly input?: StandardSchemaV1<unknown, Input>;
  /** How many take-overs without progress are allowed. */
  readonly maxRecoveryAttempts: number;
  /** The code. */
  run(ctx: WorkflowContext, input: Input): Output | Promise<Output>;
}

/**
 * Options of {@linkcode workflow}.
 *
 * @category Workflows
 */
export interface WorkflowOptions<Input> {
  /** Any Standard Schema. It checks and types the input. What it returns is stored: its defaults and transforms are applied once, where the workflow is started. */
  input?: StandardSchemaV1<unknown, Input>;
  /** How often a workflow may be taken over from a dead run without progress in between, before it is given up; 0 or more. Default 100. */
  maxRecoveryAttempts?: number;
}

/**
 * Defines a workflow. Pure: no I/O, so it belongs at module level.
 *
 * The function must be deterministic: it is run again from the top after a crash or a suspended wait, and every operation on `ctx` then
 * returns what was recorded. Everything that is not deterministic or touches the world belongs in {@linkcode WorkflowContext.step}.
 *
 * @param name Its name, 1 to 255 characters. A store remembers workflows by it.
 * @param run The code.
 * @param options A schema for the input, and how often it may be recovered.
 * @returns The definition, for the `workflows` of a `Parley` and for `start`.
 * @throws {ValidationError} If the name or an option is not legal, or the schema is no Standard Schema.
 *
 * @example The input's type from an annotation
 * ```ts
 * import { workflow } from "@parley/parley";
 *
 * const greet = workflow("greet", async (ctx, name: string) => {
 *   return await ctx.step("compose", () => `Hello, ${name}`);
 * });
 * ```
 *
 * @category Workflows
 */
export function workflow<Input, Output>(
  name: string,
  run: (ctx: WorkflowContext, input: Input) => Output | Promise<Output>,
  options: WorkflowOptions<Input> = {},
): Workflow<Input, Output> {
  checkName(name, "workflow name");
  const { input, maxRecoveryAttempts = 100 } = options;
  checkWholeNumber(maxRecoveryAttempts, "maxRecoveryAttempts", 0);
  checkSchema(input, `input of workflow ${quote(name)}`);
  return { name, run, maxRecoveryAttempts, ...(input && { input }) };
}

/**
 * What a workflow can do. Each operation is recorded in the workflow's journal together with its effect, so that it happens once
 * however often the code is replayed. Operations may run side by side (`Promise.all`, `Promise.race`).
 *
 * All of them reject with `WorkflowCancelledError` once the workflow is cancelled, with `LeaseLostError` once another run has
 * taken it over, and with `ContextError` inside a step.
 *
 * @category Workflows
 */
export interface WorkflowContext {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** Aborts when the workflow is cancelled or this run loses its lease. */
  readonly signal: AbortSignal;

  /**
   * Runs code that touches the world: at least once, and never again once its outcome is recorded.
   *
   * @param name Names the step in the journal. It must be the same on every replay.
   * @param run The code. Its value or its last error is recorded.
   * @param options Retries and time limits.
   */
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>, options?: StepOptions): Promise<T>;
  /** Waits, also across crashes: the deadline is recorded, by the store's clock. */
  sleep(duration: Duration): Promise<void>;
  /** The store's time in epoch milliseconds, the same on every replay. */
  now(): Promise<number>;
  /** A random UUID (version 4), the same on every replay. */
  uuid(): Promise<string>;

  /**
   * Sends a message to a workflow, exactly once.
   *
   * @throws {WorkflowNotFoundError} @throws {WorkflowEndedError} @throws {IdempotencyConflictError} Recorded.
   * @throws {ValidationError} @throws {ValueTooLargeError} Nothing was sent.
   */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /**
   * Takes the oldest message of a topic, exactly once; waits if there is none.
   *
   * @param topic None: the messages that were sent without a topic.
   * @param options `timeout`: none by default; 0 takes what is there.
   * @throws {ValidationError} If the message came by the topic's name alone, and the topic's schema refuses it. Recorded; the message is consumed.
   * @throws {TimeoutError} When the timeout has passed. Recorded: a message that comes later stays for the next `recv`.
   */
  recv<T>(topic?: Topic<T> | string, options?: { timeout?: Duration }): Promise<T>;
  /** Takes the oldest message over several topics, and leaves all others untouched. Else like `recv`. */
  recvAny<const Topics extends readonly (Topic<unknown> | string)[]>(
    topics: Topics,
    options?: { timeout?: Duration },
  ): Promise<Received<Topics>>;

  /** Publishes a value under a key, exactly once; a later one replaces it. It stays readable after the workflow has ended. */
  setEvent<T>(key: EventKey<T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Reads the latest value of an event of any workflow, and records it; waits if there is none, also for a workflow that does not exist yet.
   *
   * @throws {TimeoutError} When the timeout has passed (none by default). Recorded.
   * @throws {WorkflowEndedError} If the workflow has ended, or ends, without the event. Recorded.
   * @throws {WorkflowNotFoundError} If this workflow has started that one, and it does not exist any more. Recorded.
   */
  getEvent<T>(workflowId: string, key: EventKey<T> | string, options?: { timeout?: Duration }): Promise<T>;

  /** Appends a value to a stream, exactly once. Values written together travel together. @throws {StreamClosedError} Recorded. */
  writeStream<T>(key: StreamKey<T> | string, value: NoInfer<T>): Promise<void>;
  /** Closes a stream for good. @throws {StreamClosedError} If it is closed already. Recorded. */
  closeStream(key: StreamKey<unknown> | string): Promise<void>;
  /** A stream as a `WritableStream`. Closing it closes the stream; aborting it leaves the stream open. */
  writable<T>(key: StreamKey<T> | string): WritableStream<T>;

  /**
   * Starts another workflow, exactly once. An ID that exists is that workflow.
   *
   * @throws {WorkflowConflictError} If the ID exists under another workflow name. Recorded.
   * @throws {UnknownWorkflowError} If this `Parley` does not know the workflow.
   */
  start<I, O>(child: Workflow<I, O>, input: NoInfer<I>, options?: { workflowId?: string }): Promise<ChildHandle<O>>;

  /**
   * Waits until all of these have ended and returns their results, in the order of the list. It gives what `Promise.all` over their `result()` gives. In
   * addition the store knows that the workflow needs all of them: while it is suspended, it is woken once, by the last child or by the first that fails,
   * and not by each.
   *
   * @param children What `start` returned.
   * @param options `timeout`: how long to wait for each; default: without a limit.
   * @throws {WorkflowFailedError} @throws {WorkflowCancelledError} @throws {TimeoutError} For the first child that did not succeed. Recorded.
   *
   * @example Sixty parts, one run after the last
   * ```ts
   * import { workflow } from "@parley/parley";
   *
   * const part = workflow("part", (ctx, n: number) => ctx.step("compute", () => n * n));
   * const whole = workflow("whole", async (ctx) => {
   *   const parts = await Promise.all(Array.from({ length: 60 }, (_, n) => ctx.start(part, n)));
   *   const squares = await ctx.results(parts);
   *   return squares.reduce((sum, square) => sum + square, 0);
   * });
   * ```
   */
  results<const Children extends readonly ChildHandle<unknown>[]>(
    children: Children,
    options?: { timeout?: Duration },
  ): Promise<Results<Children>>;
}

/**
 * The results of a list of children, in its order.
 *
 * @category Workflows
 */
export type Results<Children extends readonly ChildHandle<unknown>[]> = {
  -readonly [Index in keyof Children]: Children[Index] extends ChildHandle<infer Output> ? Output : never;
};

/**
 * A workflow that was started by another one. Its operations are the starter's, recorded like all others.
 *
 * @category Workflows
 */
export interface ChildHandle<out O> {
  /** The started workflow's ID. */
  readonly workflowId: string;
  /**
   * Waits until it has ended and returns its result.
   *
   * @throws {WorkflowFailedError} @throws {WorkflowCancelledError} @throws {TimeoutError} Recorded.
   * @throws {WorkflowNotFoundError} If it does not exist any more. Recorded.
   */
  result(options?: { timeout?: Duration }): Promise<O>;
  /** {@linkcode WorkflowContext.send} to it. */
  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** {@linkcode WorkflowContext.getEvent} of it. */
  getEvent<T>(key: EventKey<T> | string, options?: { timeout?: Duration }): Promise<T>;
}

/**
 * What a step can do. A step may run several times before its outcome is recorded, so each operation says how often it happens.
 *
 * @category Workflows
 */
export interface StepContext {
  /** Which try this is, from 1. Failed tries are counted in the store, so that a run that takes the workflow over goes on with the next one. */
  readonly attempt: number;
  /** Aborts when this try has used up its time, the workflow is cancelled or this run loses its lease. */
  readonly signal: AbortSignal;
  /** Appends a value to a stream, at least once: a step that is tried again writes again. */
  writeStream<T>(key: StreamKey<T> | string, value: NoInfer<T>): Promise<void>;
  /** Sets an event, at least once. */
  setEvent<T>(key: EventKey<T> | string, value: NoInfer<T>): Promise<void>;
  /** Sends a message once per step, however often it is tried: the n-th message of a try to a destination and topic is the same one in each try. */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
}

/**
 * Options of {@linkcode WorkflowContext.step}.
 *
 * @category Workflows
 */
export interface StepOptions {
  /** How often a failed step is tried again. Default 0. The pauses in between are waits that may suspend the workflow. */
  retries?: number;
  /** How long to wait before the first retry. Default `"1s"`. */
  delay?: Duration;
  /** By what the delay is multiplied from one retry to the next; 1 or more. Default 2. */
  backoff?: number;
  /** The longest delay. Default none. */
  maxDelay?: Duration;
  /** How long one try may take before its signal aborts and it counts as failed with a `TimeoutError`. Default none. */
  timeout?: Duration;
}

/**
 * What `recvAny` returns: a union that its `topic` discriminates.
 *
 * @category Messages
 */
export type Received<Topics extends readonly (Topic<unknown> | string)[]> = ReceivedFrom<Topics[number]>;

/**
 * A message with its topic.
 *
 * @category Messages
 */
export type ReceivedFrom<From> = From extends Topic<infer T, infer Name> ? { topic: Name; message: T }
  : From extends string ? { topic: From; message: unknown }
  : never;
