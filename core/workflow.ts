/**
 * The definition of workflows, and the operations of their code.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey, Topic } from "./channel.ts";
import { checkName, checkSchema, checkWholeNumber, type Duration } from "./values/checks.ts";
import type { AnySchema, StandardSchemaV1 } from "./standard_schema.ts";
import { quote } from "./errors.ts";

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
   * @param topic The topic. Default the queue of messages without a topic.
   * @param options `timeout`: the longest time to wait, default no limit. 0 takes what is there.
   * @throws {ValidationError} If the sender used only the topic's name, and the topic's schema
   * refuses the message. The message is consumed.
   * @throws {TimeoutError} After the timeout. A later message stays for the next `recv`.
   */
  recv<T>(topic?: Topic<T, string, unknown> | string, options?: { timeout?: Duration }): Promise<T>;
  /**
   * Takes the oldest message of several topics, and leaves all other messages. Otherwise it works
   * like `recv`.
   */
  recvAny<const Topics extends readonly (Topic<unknown> | string)[]>(
    topics: Topics,
    options?: { timeout?: Duration },
  ): Promise<Received<Topics>>;

  /**
   * Publishes a value under a key, exactly once. A later value replaces it. The value stays
   * readable after the workflow has ended.
   */
  setEvent<T>(key: EventKey<unknown, T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Reads the latest value of an event of any workflow, and waits if there is none. The other
   * workflow need not exist yet. The value is recorded.
   *
   * @throws {TimeoutError} After the timeout, default none.
   * @throws {WorkflowEndedError} If the other workflow ends, or has ended, without the event.
   * @throws {WorkflowNotFoundError} If this workflow started the other one, and it no longer
   * exists.
   */
  getEvent<T>(workflowId: string, key: EventKey<T, unknown> | string, options?: { timeout?: Duration }): Promise<T>;

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
    input: NoInfer<I>,
    options?: { workflowId?: string },
  ): Promise<ChildHandle<O>>;
  /** Starts another workflow whose input may be left out. */
  start<I, O>(child: Workflow<unknown, O, I>, ...none: NoInput<I>): Promise<ChildHandle<O>>;

  /**
   * Waits until all of the children have ended, and returns their results in the order of the list.
   *
   * The outcome is the same as that of `Promise.all` over each child's `result()`. But here the
   * store knows that the workflow needs all of the results. So the store wakes the suspended
   * workflow only once, and not after each child. It does so when the last child has ended, or as
   * soon as any child fails or is cancelled.
   *
   * @param children The handles that `start` returned.
   * @param options `timeout`: the longest time to wait for each child, default no limit.
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
    options?: { timeout?: Duration },
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
 * No arguments if a workflow's input may be left out, because its type allows `undefined`. Otherwise
 * the input is required.
 *
 * @category Workflows
 */
export type NoInput<I> = undefined extends I ? [] : [input: I];

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
   * @param options `timeout`: the longest time to wait, default no limit.
   * @throws {WorkflowFailedError} If the child failed.
   * @throws {WorkflowCancelledError} If the child was cancelled.
   * @throws {TimeoutError} After the timeout.
   * @throws {WorkflowNotFoundError} If the child no longer exists.
   */
  result(options?: { timeout?: Duration }): Promise<O>;
  /** Sends a message to the child. See {@linkcode WorkflowContext.send}. */
  send<T>(message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
  /** Reads an event of the child. See {@linkcode WorkflowContext.getEvent}. */
  getEvent<T>(key: EventKey<T, unknown> | string, options?: { timeout?: Duration }): Promise<T>;
}

/**
 * The operations of a step's code. A step may run several times before its outcome is recorded, so
 * each operation says how often it happens.
 *
 * @category Workflows
 */
export interface StepContext {
  /**
   * The number of this try, from 1. The store counts failed tries, so a run that takes the workflow
   * over continues the count.
   */
  readonly attempt: number;
  /**
   * Aborts when this try has used up its time, or when this run ends before the step. A run ends
   * before its steps in these cases:
   *
   * - The workflow is cancelled or parked.
   * - The lease is lost, or the store fails.
   * - The timeout of `Parley.close` has passed.
   * - The workflow's code returns or throws without awaiting the step.
   */
  readonly signal: AbortSignal;
  /** Appends a value to a stream, at least once. A step that is tried again appends it again. */
  writeStream<T>(key: StreamKey<unknown, T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Returns a stream as a `WritableStream` for many small values, such as the tokens of a language
   * model. A value is taken when it is written, and a write resolves when its value is in a batch.
   * Each batch is one request.
   *
   * The first batch is sent at once. While values keep coming, the pause between two batches grows
   * from `flush` to three times `flush`. With the default, the tokens of an answer of 5 s take about
   * 25 requests. Writes wait while 1,000 values, or 1 Mi characters of them, are not stored yet.
   *
   * Closing or aborting the `WritableStream` stores what was written, and so does the end of the
   * step's code, even by an error. The stream itself stays open. If a batch cannot be stored, the
   * `WritableStream` fails with that error, and so does the try.
   *
   * A step that is tried again writes everything again. So begin each try with a value that marks
   * the beginning. Readers drop everything before the latest mark. A number such as
   * {@linkcode StepContext.attempt} is not enough, because a try that a crash has cut off does not
   * count as failed.
   *
   * @param key The stream.
   * @param options `flush`: the shortest pause between two batches, default `"100ms"`. 0 sends each
   * batch as soon as the one before is stored.
   * @returns The `WritableStream`. It can be used until the try ends.
   * @throws {ValidationError} If the key or the duration is not legal.
   * @throws {ContextError} After the end of the try.
   *
   * @example Tokens whose reader drops what an abandoned try has written
   * ```ts
   * import { memoryDriver, Parley, stream, workflow } from "@parley/parley";
   *
   * const tokens = stream<{ begin: true } | { text: string }>("tokens");
   * const answer = workflow("answer", (ctx) =>
   *   ctx.step("generate", async (step) => {
   *     const writer = step.writable(tokens).getWriter();
   *     await writer.write({ begin: true });
   *     await writer.write({ text: step.attempt === 1 ? "Helo" : "Hello" });
   *     if (step.attempt === 1) throw new Error("The model hung up");
   *     await writer.write({ text: ", world" });
   *     await writer.close();
   *   }, { retries: 1, delay: 0 }));
   *
   * await using parley = new Parley({ driver: memoryDriver(), workflows: [answer] });
   * const handle = await parley.start(answer, undefined);
   * let text = "";
   * for await (const token of handle.readStream(tokens)) {
   *   text = "begin" in token ? "" : text + token.text;
   * }
   * console.assert(text === "Hello, world");
   * ```
   */
  writable<T>(key: StreamKey<unknown, T> | string, options?: { flush?: Duration }): WritableStream<T>;
  /** Sets an event, at least once. */
  setEvent<T>(key: EventKey<unknown, T> | string, value: NoInfer<T>): Promise<void>;
  /**
   * Sends a message, exactly once per step. The n-th message that a try sends to a destination and
   * topic is the same message in each try.
   */
  send<T>(destinationId: string, message: NoInfer<T>, options?: SendOptions<T>): Promise<SendReceipt>;
}

/**
 * Options of {@linkcode WorkflowContext.step}.
 *
 * @category Workflows
 */
export interface StepOptions {
  /**
   * How often a failed step is tried again, 0 or more. Default 0. The pauses between tries may
   * suspend the workflow.
   */
  retries?: number;
  /** The delay before the first retry. Default `"1s"`. */
  delay?: Duration;
  /** The factor by which the delay grows from one retry to the next, 1 or more. Default 2. */
  backoff?: number;
  /** The longest delay. Default no limit. */
  maxDelay?: Duration;
  /**
   * The longest time of one try. After that time, the try's signal aborts, and the try fails with a
   * `TimeoutError`. Default no limit.
   */
  timeout?: Duration;
  /**
   * Returns whether a try that failed with this error may be followed by another one. Default all
   * errors but {@linkcode FatalError}, after which no other try is made in any case. If it throws,
   * the step fails with that error.
   */
  retryIf?: (error: unknown) => boolean;
}

/**
 * The result of `recvAny`: a union that is discriminated by `topic`.
 *
 * @category Messages
 */
export type Received<Topics extends readonly (Topic<unknown> | string)[]> = ReceivedFrom<Topics[number]>;

/**
 * A message with its topic.
 *
 * @category Messages
 */
export type ReceivedFrom<From> = From extends Topic<infer T, infer Name, unknown> ? { topic: Name; message: T }
  : From extends string ? { topic: From; message: unknown }
  : never;
