/**
 * The options of waits, and the type of what `recvAny` receives.
 *
 * @module
 */

import type { Topic } from "./channel.ts";
import { TimeoutError, ValidationError } from "./errors.ts";
import { type Duration, toInstant, toMilliseconds } from "./values/checks.ts";

/**
 * Options of a wait.
 *
 * `E` is the type of {@linkcode WaitOptions.otherwise}.
 *
 * @category Waits
 */
export interface WaitOptions<E = never> {
  /** The longest time to wait. 0 looks once and does not wait. */
  timeout?: Duration;
  /**
   * The instant until which to wait, in epoch milliseconds or as a `Date`. An instant in the past
   * looks once. The store's clock decides; with `dbosClient` it is the caller's. Give either this or
   * `timeout`. Outside of a workflow, you may give both, and the earlier end counts.
   */
  until?: Date | number;
  /**
   * The value that the wait returns when its time is up, in place of a `TimeoutError`. A workflow
   * records the timeout all the same.
   */
  otherwise?: E;
  /**
   * Ends the wait early. The wait then rejects with the signal's reason.
   *
   * In a workflow, the wait is recorded as withdrawn, and takes no message after that. A message
   * that it had taken before is its outcome. Abort the signal in the workflow's own code, after
   * another operation. A signal does not outlive a suspended run, because a replay makes another one.
   */
  signal?: AbortSignal;
}

/**
 * What `recvAny` receives from: a list of topics, or an object whose keys name the topics.
 *
 * @category Messages
 */
export type TopicChoice =
  | readonly (Topic<unknown, string, unknown> | string)[]
  | Readonly<Record<string, Topic<unknown, string, unknown> | string>>;

/**
 * The result of `recvAny`: a union that is discriminated by `topic`. With a list, `topic` is the
 * topic's name. With an object, it is the topic's key in the object.
 *
 * @category Messages
 */
export type Received<Topics extends TopicChoice> = Topics extends readonly (Topic<unknown, string, unknown> | string)[]
  ? ReceivedFrom<Topics[number]>
  : { [Key in keyof Topics & string]: { topic: Key; message: MessageOf<Topics[Key]> } }[keyof Topics & string];

/**
 * The messages of a topic. Those of a topic that is named by a string have an unknown type.
 *
 * @category Messages
 */
export type MessageOf<From> = From extends Topic<infer T, string, unknown> ? T : unknown;

/**
 * A message with its topic.
 *
 * @category Messages
 */
export type ReceivedFrom<From> = From extends Topic<infer T, infer Name, unknown> ? { topic: Name; message: T }
  : From extends string ? { topic: From; message: unknown }
  : never;

/** When a wait ends: after a time, or at an instant of the store's clock. */
export interface WaitLimit {
  /** The longest time to wait, in milliseconds. `null` if there is no such limit. */
  readonly timeoutMs: number | null;
  /** The instant, in epoch milliseconds. */
  readonly until?: number;
}

/**
 * Reads when a wait of a workflow ends.
 *
 * @throws {ValidationError} If the timeout or the instant is not legal, or both are given.
 */
export function toWaitLimit(options: Pick<WaitOptions, "timeout" | "until">): WaitLimit {
  if (options.until !== undefined && options.timeout !== undefined) {
    throw new ValidationError("Reading a wait with timeout and until: give one of the two");
  }
  return toOutsideLimit(options);
}

/**
 * Reads when a wait outside of a workflow ends.
 *
 * @param options The options of the wait.
 * @param otherwise The timeout if the options have no end. Default none.
 * @throws {ValidationError} If the timeout or the instant is not legal.
 */
export function toOutsideLimit(
  { timeout, until }: Pick<WaitOptions, "timeout" | "until">,
  otherwise?: Duration,
): WaitLimit {
  const longest = timeout ?? (until === undefined ? otherwise : undefined);
  return {
    timeoutMs: longest === undefined ? null : toMilliseconds(longest, "timeout"),
    ...(until !== undefined && { until: toInstant(until, "until") }),
  };
}

/** Waits, and returns `otherwise` in place of a `TimeoutError`, if the options have it. */
export async function orOtherwise<T, E>(options: WaitOptions<E>, wait: () => Promise<T>): Promise<T | E> {
  try {
    return await wait();
  } catch (error) {
    if (error instanceof TimeoutError && "otherwise" in options) return options.otherwise as E;
    throw error;
  }
}
