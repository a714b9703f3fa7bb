/**
 * What the code of a step gets, and the options of a step.
 *
 * @module
 */

import type { EventKey, SendOptions, SendReceipt, StreamKey } from "./channel.ts";
import type { Duration } from "./values/checks.ts";

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
