/**
 * The definition of workflows, and the operations of their code.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey, Topic } from "./channel.ts";
import { checkName, checkSchema, checkWholeNumber, type Duration } from "./values/checks.ts";
import type { AnySchema, StandardSchemaV1 } from "./standard_schema.ts";
import { quote } from "./errors.ts";
import type { StepContext, StepOptions } from "./step_context.ts";
import type { Received, TopicChoice, WaitOptions } from "./wait_options.ts";

/**
 * The definition of a workflow. Create it with {@linkcode workflow}.
 *
 * `Input` is what the code gets, and `In` what `start` takes. The two differ only if a schema
 * transforms inputs or fills in defaults.
 *
 * @category Workflows
 */
export interface Workflow<Input, Output, In = Input> {
  /** The workflow's name, by which the store identifies the definition. */
  readonly name: string;
  /** Checks inputs where a workflow is started. */
  readonly input?: StandardSchemaV1<In, Input>;
  /** The type that `start` takes, for the type checker alone. Absent at run time. */
  readonly "~input"?: In;
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
export interface WorkflowOptions<Input, In = Input> {
  /**
   * Any Standard Schema. It types the input, and checks it once, where the workflow is started.
   * `start` takes the schema's input. The schema's output is stored, with its defaults and transforms
   * applied, and the code gets it.
   */
  input?: AnySchema<In, Input>;
  /**
   * How often a workflow may be taken over from dead runs without progress in between, 0 or more.
   * After that, the workflow is given up. Default 100.
   */
  maxRecoveryAttempts?: number;
}

/**
 * Defines a workflow. This does no I/O, so call it at module level.
 *
 * The code must be deterministic, because it runs again from the top after a crash or a suspended
 * wait. Every operation on `ctx` then returns its recorded outcome. Code that is not deterministic,
 * or that has effects of its own, belongs in {@linkcode WorkflowContext.step}.
 *
 * @param name The workflow's name, 1 to 255 characters. The store identifies the definition by it.
 * @param run The code.
 * @param options A schema for the input, and how many take-overs without progress are allowed.
 * @returns The definition, for the `workflows` of a `Parley` and for `start`.
 * @throws {ValidationError} If the name or an option is not legal, or the schema is not a Standard
 * Schema.
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
export function workflow<Input, Output, In = Input>(
  name: string,
  run: (ctx: WorkflowContext, input: Input) => Output | Promise<Output>,
  options: WorkflowOptions<Input, In> = {},
): Workflow<Input, Output, In> {
  checkName(name, "workflow name");
  const { input, maxRecoveryAttempts = 100 } = options;
  checkWholeNumber(maxRecoveryAttempts, "maxRecoveryAttempts", 0);
  checkSchema(input, describeInput(name));
  return { name, run, maxRecoveryAttempts, ...(input && { input: input as StandardSchemaV1<In, Input> }) };
}

/** Describes the input of a workflow with this name, for an error. */
export function describeInput(name: string): string {
  return `input of workflow ${quote(name)}`;
}

/**
 * The operations of a workflow's code. Each is recorded in the workflow's journal together with its
 * effect. So it happens once, no matter how often the code is replayed. Operations may run side by
 * side, as in `Promise.all` and `Promise.race`.
 *
 * An operation rejects with `ValidationError` if its value cannot be stored, and with
 * `ValueTooLargeError` if its value is too large.
 *
 * The error of an operation is recorded too, so a replay rejects with it again. These errors are
 * not recorded:
 *
 * - `ValidationError` for an illegal name, duration or option.
 * - `WorkflowCancelledError` once the workflow is cancelled.
 * - `LeaseLostError` once this run has lost the lease.
 * - `ContextError` inside a step, or after the code has returned.
 *
 * @category Workflows
 */
export interface WorkflowContext {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** Aborts when the workflow is cancelled, this run loses its lease, or the store fails. */
  readonly signal: AbortSignal;

  /**
   * Runs code that may have effects outside the workflow. The code runs at least once, and never
   * again once its outcome is recorded.
   *
   * @param name The step's name in the journal. It must be the same on every replay.
   * @param run The code. Its value or its last error is recorded.
   * @param options Retries and time limits.
   * @returns The value of the code.
   * @throws The last error of the code, if all tries failed.
   */
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>, options?: StepOptions): Promise<T>;
  /** Waits, even across crashes. The deadline is recorded, and measured by the store's clock. */
  sleep(duration: Duration): Promise<void>;
  /** Returns the store's time in epoch milliseconds, the same on every replay. */
  now(): Promise<number>;
  /** Returns a random UUID (version 4), the same on every replay. */
  uuid(): Promise<string>;
  /**
   * Returns whether this workflow takes a changed path of the code, so that workflows under way keep
   * to the path that they began with.
   *
   * It is `true` for a run that reaches the call live, and for each replay of that run. It is
   * `false` if the journal has another operation here, because earlier code without the call went
   * on from here. Each call decides for itself. So in a loop, a workflow under way may get `false`
   * in its first turns and `true` in later ones.
   *
   * Await it before the operations that depend on it, and outside of code that runs side by side
   * with other operations. The guide `docs/versions.md` shows how to change workflows under way.
   *
   * @param name The name of the change in the journal.
   *
   * @example A payment that is checked first, in workflows that have not paid yet
   * ```ts
   * import { workflow } from "@parley/parley";
   *
   * const order = workflow("order", async (ctx, amount: number) => {
   *   if (await ctx.patched("check before the payment")) {
   *     await ctx.step("check", () => amount < 1_000);
   *   }
   *   await ctx.step("pay", () => amount);
   * });
   * ```
   */
  patched(name: string): Promise<boolean>;

  /**
   * Sends a message to a workflow, exactly once.
   *
   * @throws {WorkflowNotFoundError} If the workflow does not exist.
   * @throws {WorkflowEndedError} If the workflow has ended.
   * @throws {IdempotencyConflictError} If the idempotency key was used with another topic.
   */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /**
   * Takes the oldest message of a topic, exactly once, and waits if there is none.
   *
   * A `recv` that loses a `Promise.race` still waits, and takes the next message. Use
   * {@linkcode WorkflowContext.recvAny}, `timeout` or `signal` in place of such a race.
   *
   * @param topic The topic. Default the queue of messages without a topic.
   * @param options When to end the wait, default never, and what it returns then.
   * @throws {ValidationError} If the sender used only the topic's name, and the topic's schema
   * refuses the message. The message is consumed.
   * @throws {TimeoutError} If the time is up. A later message stays for the next `recv`.
   * @throws The signal's reason, if the signal has withdrawn the wait.
   *
   * @example A wait that a sleep withdraws
   * ```ts
   * import { workflow } from "@parley/parley";
   *
   * const order = workflow("order", async (ctx) => {
   *   const late = new AbortController();
   *   const payment = ctx.recv<number>("payment", { signal: late.signal });
   *   const winner = await Promise.race([payment, ctx.sleep("1h").then(() => "late" as const)]);
   *   if (winner === "late") late.abort();
   *   // A payment that came at the last moment was taken. Any later one stays in the queue.
   *   return await payment.catch(() => "unpaid");
   * });
   * ```
   */
  recv<T, const E = T>(topic?: Topic<T, string, unknown> | string, options?: WaitOptions<E>): Promise<T | E>;
  /**
   * Takes the oldest message of several topics, and leaves all other messages. Otherwise it works
   * like `recv`.
   *
   * @param topics The topics. The keys of an object name them in the result, so that the type of the
   * message follows from `topic`. With a list, it follows if the type of each topic has its name, as
   * in `topic("approve", schema)` or `topic<Approval, "approve">("approve")`.
   * @param options When to end the wait, default never, and what it returns then.
   *
   * @example The first of two answers, or none within three days
   * ```ts
   * import { topic, workflow } from "@parley/parley";
   *
   * const approve = topic<{ by: string }>("approve");
   * const reject = topic<{ reason: string }>("reject");
   * const request = workflow("request", async (ctx) => {
   *   const answer = await ctx.recvAny({ approve, reject }, { timeout: "3d", otherwise: { topic: "none" } });
   *   if (answer.topic === "approve") return `approved by ${answer.message.by}`;
   *   return answer.topic === "reject" ? `rejected: ${answer.message.reason}` : "nobody answered";
   * });
   * ```
   */
  recvAny<const Topics extends TopicChoice, const E = never>(
    topics: Topics,
    options?: WaitOptions<E>,
  ): Promise<Received<Topics> | E>;

  /**
   * Publishes a value under a key, exactly once. A later value replaces it. The value stays
   * readable after the workflow has ended.
   */
  setEvent<T>(key: EventKey<unknown, T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Reads the latest value of an event of any workflow, and waits if there is none. The other
   * workflow need not exist yet. The value is recorded.
   *
   * @param options When to end the wait, default never, and what it returns then.
   * @throws {TimeoutError} If the time is up.
   * @throws The signal's reason, if the signal has withdrawn the wait.
   * @throws {WorkflowEndedError} If the other workflow ends, or has ended, without the event.
   * @throws {WorkflowNotFoundError} If this workflow started the other one, and it no longer
   * exists.
   */
  getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options?: WaitOptions<E>,
  ): Promise<T | E>;

  /**
   * Appends a value to a stream, exactly once. Values that are written together travel in one
   * request.
   *
   * @throws {StreamClosedError} If the stream is closed.
   */
  writeStream<T>(key: StreamKey<unknown, T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Closes a stream for good.
   *
   * @throws {StreamClosedError} If the stream is closed already.
   */
  closeStream(key: StreamKey<unknown> | string): Promise<void>;
  /**
   * Returns a stream as a `WritableStream`. Closing the `WritableStream` closes the stream.
   * Aborting it leaves the stream open.
   */
  writable<T>(key: StreamKey<unknown, T> | string): WritableStream<T>;

  /**
   * Starts another workflow, exactly once. If the ID exists, this returns the existing workflow.
   *
   * @throws {WorkflowConflictError} If the ID exists under another workflow name.
   * @throws {UnknownWorkflowError} If this `Parley` does not know the workflow.
   */
  start<I, O>(
    child: Workflow<unknown, O, I>,
    ...input: StartArguments<I, { workflowId?: string }>
  ): Promise<ChildHandle<O>>;

  /**
   * Waits until all of the children have ended, and returns their results in the order of the list.
   *
   * The outcome is the same as that of `Promise.all` over each child's `result()`. But here the
   * store knows that the workflow needs all of the results. So the store wakes the suspended
   * workflow only once, and not after each child. It does so when the last child has ended, or as
   * soon as any child fails or is cancelled.
   *
   * @param children The handles that `start` returned.
   * @param options When to end the wait for each child, default never.
   * @throws {WorkflowFailedError} If a child failed.
   * @throws {WorkflowCancelledError} If a child was cancelled.
   * @throws {TimeoutError} If a child did not end in time.
   * @throws {WorkflowNotFoundError} If a child no longer exists.
   *
   * @example Sixty parts, and one run after the last part has ended
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
    options?: Omit<WaitOptions, "otherwise">,
  ): Promise<Results<Children>>;

  /**
   * Starts this workflow again under the same ID, with another input and an empty journal. It keeps
   * a workflow that goes on for years as fast as on its first day, because a replay reads only what
   * was recorded since.
   *
   * Unread messages, idempotency keys, events, streams and children stay. Nothing after the call
   * runs. Await the operations before it, because waits that are open then are dropped.
   *
   * @param input The new input. The workflow's schema checks it, if there is one.
   * @returns A promise that never resolves.
   * @throws {ValidationError} If the input is not legal.
   * @throws {ValueTooLargeError} If the input is too large.
   * @throws {ContextError} If it is called inside a step.
   *
   * @example A chat that starts again after each hundred messages
   * ```ts
   * import { workflow } from "@parley/parley";
   *
   * const chat = workflow("chat", async (ctx, said: { count: number }) => {
   *   for (let turn = 0; turn < 100; turn++) {
   *     const text = await ctx.recv<string>("say");
   *     said.count += 1;
   *     await ctx.writeStream("answers", `${said.count}: ${text}`);
   *   }
   *   return await ctx.continueAsNew(said);
   * });
   * ```
   */
  continueAsNew(input: unknown): Promise<never>;
}

/**
 * The results of a list of children, in the order of the list.
 *
 * @category Workflows
 */
export type Results<Children extends readonly ChildHandle<unknown>[]> = {
  -readonly [Index in keyof Children]: Children[Index] extends ChildHandle<infer Output> ? Output : never;
};

/**
 * The input of a workflow and the options of its start. If the input's type allows `undefined`, both
 * may be left out.
 *
 * @category Workflows
 */
export type StartArguments<I, Options> =
  | [input: NoInfer<I>, options?: Options]
  | (undefined extends I ? [] : never);

/**
 * A handle on a workflow that another one started. Its operations belong to the starter, and are
 * recorded in the starter's journal.
 *
 * @category Workflows
 */
export interface ChildHandle<out O> {
  /** The started workflow's ID. */
  readonly workflowId: string;
  /**
   * Waits until the child has ended, and returns its result.
   *
   * @param options When to end the wait, default never, and what it returns then.
   * @throws {WorkflowFailedError} If the child failed.
   * @throws {WorkflowCancelledError} If the child was cancelled.
   * @throws {TimeoutError} If the time is up.
   * @throws {WorkflowNotFoundError} If the child no longer exists.
   */
  result<const E = O>(options?: WaitOptions<E>): Promise<O | E>;
  /** Sends a message to the child. See {@linkcode WorkflowContext.send}. */
  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** Reads an event of the child. See {@linkcode WorkflowContext.getEvent}. */
  getEvent<T, const E = T>(key: EventKey<T, unknown> | string, options?: WaitOptions<E>): Promise<T | E>;
}
