/**
 * An operation of a workflow, first as a request of the code and then on its way into the store.
 * The functions below turn its outcome into the value or error that the code gets.
 *
 * @module
 */

import type { Deadline, Effect, OperationResult, Outcome, Wait, WorkflowStatus } from "../../driver/driver.ts";
import {
  StreamClosedError,
  TimeoutError,
  WorkflowCancelledError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "../../errors.ts";

/** What an operation does. */
export type EffectOrWait = Effect | Wait;

/** An operation on its way into the store. */
export interface PendingOperation<A = EffectOrWait | Promise<EffectOrWait | void>> {
  /** Its position; `null` for an operation inside a step. */
  readonly position: number | null;
  /** Its name in the journal. */
  readonly label: string;
  /** When a step began, by this isolate's clock. Any other operation begins when it is committed. */
  readonly begunAt?: number;
  /**
   * What the operation does. This is a promise while the operation's value is being checked. The
   * promise resolves to `undefined` if the value was refused.
   */
  action: A;
  /**
   * Called with each result. A wait first gets its remaining time, any number of times. The last
   * result is the outcome, except for a pause, which has none.
   */
  onResult(result: OperationResult): void;
}

/**
 * Begins an operation and returns what it does. It returns a promise for a step, or if an
 * asynchronous schema checks the value. An error that it throws is recorded as the refusal.
 *
 * @param open Set if an earlier run began this operation and recorded no outcome. For a step, it
 * has the number of failed tries and the time until the next try.
 * @param traceparent The trace that the observer gives to the operation.
 */
export type Begin = (
  position: number,
  open?: { attempts: number; remainingMs: number },
  traceparent?: string,
) => EffectOrWait | Promise<EffectOrWait>;

/** An operation as the workflow's code asks for it. */
export interface OperationRequest<T> {
  /**
   * Its name in the journal: the kind of operation, and the name of its channel or step, if it has
   * one.
   */
  label: string;
  /** The label as it is recorded, if it says more; see `splitLabel`. */
  recorded?: string;
  /** The other workflow's ID, for the observer. */
  to?: string;
  /** The trace that the caller gave, for the observer. */
  traceparent?: string | undefined;
  /**
   * Takes the caller's values, before the call returns. It is not called if the outcome is known to
   * be recorded. An error that it throws is recorded as the refusal.
   */
  take(): Begin;
  /**
   * Set for an operation that earlier code may not have called. If the journal has another operation
   * at the next position, the operation takes no position, and its value is `absent`.
   */
  optional?: { absent: T };
  /** Withdraws a wait: the outcome that is recorded then has the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * `true`: the operation is queued for a commit when it is done, as for a step. Otherwise it is
   * queued when it begins.
   */
  takesTime?: boolean;
  /**
   * `true`: {@linkcode OperationRequest.read} also reads errors. Otherwise the operation rejects
   * with the error, without a call of `read`.
   */
  readsErrors?: boolean;
  /**
   * Returns an operation that must follow this one before the code gets a value. The second
   * operation takes the next position, and its value becomes the value of this one. `isWanted`
   * counts only the first time. On a replay the second operation follows if it followed before. Its
   * label must be unique, so it contains the position of this operation.
   */
  follow?(outcome: Outcome, position: number): { request: OperationRequest<T>; isWanted: boolean } | undefined;
  /** Returns its value, or throws its error. */
  read(outcome: Outcome): T;
}

/**
 * Takes an operation's values now. If that throws, the error becomes the refusal when the operation
 * begins.
 */
export function taken(request: OperationRequest<unknown>): Begin {
  try {
    return request.take();
  } catch (error) {
    return () => Promise.reject(error);
  }
}

/** Decodes stored texts, as a run does. */
interface Decoder {
  decode(text: string): unknown;
}

/** Returns a recorded value, such as that of a step or of `now`. Throws a recorded error. */
export function readRecorded(decoder: Decoder, { tag, value }: Outcome): unknown {
  const decoded = decoder.decode(value!);
  if (tag === "error") throw decoded;
  return decoded;
}

/** Throws if the stream was closed. */
export function readDone({ tag }: Outcome, stream: { workflowId: string; key: string }): void {
  if (tag === "stream_closed") throw new StreamClosedError(stream.workflowId, stream.key);
}

/** Returns the value that a wait found, or throws if the wait timed out. */
export function readFound(
  decoder: Decoder,
  { tag, value }: Outcome,
  wait: { label: string } & Deadline,
): unknown {
  if (tag === "timeout") throw new TimeoutError(wait.label, wait.timeoutMs ?? 0, wait.until);
  return decoder.decode(value!);
}

/** A wait for an event or the result of another workflow. */
interface Observation extends Deadline {
  readonly label: string;
  readonly workflowId: string;
}

/** Returns an event of another workflow, or throws if it can no longer come. */
export function readObserved(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  if (outcome.tag === "workflow_not_found") throw new WorkflowNotFoundError(wait.workflowId);
  if (outcome.tag === "workflow_ended") throw new WorkflowEndedError(wait.workflowId, outcome.value as WorkflowStatus);
  return readFound(decoder, outcome, wait);
}

/** Returns the result of another workflow, or throws an error that says how that workflow ended. */
export function readResult(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  const { tag, value } = outcome;
  if (tag === "cancelled") throw new WorkflowCancelledError(wait.workflowId);
  if (tag === "error") {
    throw new WorkflowFailedError(wait.workflowId, value == null ? undefined : decoder.decode(value));
  }
  return readObserved(decoder, outcome, wait);
}
