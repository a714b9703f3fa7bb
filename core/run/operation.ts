/**
 * An operation of a workflow: as the code requests it, on its way into the store, and what its
 * outcome means to the code.
 *
 * @module
 */

import type { Effect, OperationResult, Outcome, Wait, WorkflowStatus } from "../driver/driver.ts";
import {
  StreamClosedError,
  TimeoutError,
  WorkflowCancelledError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "../errors.ts";

/** What an operation does. */
export type EffectOrWait = Effect | Wait;

/** Whether an operation may have to wait. */
export function isWait(action: EffectOrWait): action is Wait {
  return WAITS.has(action.type);
}

const WAITS = new Set<EffectOrWait["type"]>(["receive", "observeEvent", "observeResult", "sleep", "pause"]);

/** An operation on its way into the store. */
export interface PendingOperation<A = EffectOrWait | Promise<EffectOrWait | void>> {
  /** Its position; `null` for an operation inside a step. */
  readonly position: number | null;
  /** Its name in the journal. */
  readonly label: string;
  /**
   * What it does. It is a promise while the value is being checked, which settles with nothing if
   * the value was refused.
   */
  action: A;
  /**
   * Gets each result: first, any number of times, how long a wait still has, and at last the
   * outcome.
   */
  onResult(result: OperationResult): void;
}

/**
 * Begins an operation. Returns what it does, at once unless an asynchronous schema has to check its
 * value. An error that it throws is recorded as the refusal.
 *
 * @param open Set if an earlier run began the tries of this step: how many have failed, and the
 * time until the next.
 */
export type Begin = (
  position: number,
  open?: { attempts: number; remainingMs: number },
) => EffectOrWait | Promise<EffectOrWait>;

/** An operation as the workflow's code asks for it. */
export interface OperationRequest<T> {
  /** Its name in the journal: the kind of operation, and the channel or step. */
  label: string;
  /**
   * Takes the caller's values, in the turn of the call. It is not called if the outcome is known to
   * be recorded. An error that it throws is recorded as the refusal.
   */
  take(): Begin;
  /**
   * `true`: its place among the commits is when it is done, as for a step. Otherwise it is when it
   * is called.
   */
  takesTime?: boolean;
  /**
   * `true`: {@linkcode OperationRequest.read} also reads errors. Otherwise an `error` is the
   * refusal of the operation.
   */
  readsErrors?: boolean;
  /**
   * Returns the operation that follows the outcome, before the code gets to know it. It takes the
   * next position, and its value becomes the value of this operation. On a replay `isWanted` does
   * not count: the operation follows if it followed before. Its label must be unique to it, so it
   * names the position of this operation.
   */
  follow?(outcome: Outcome, position: number): { request: OperationRequest<T>; isWanted: boolean } | undefined;
  /** Returns its value, or throws its error. */
  read(outcome: Outcome): T;
}

/** Decodes stored texts, as a run does. */
interface Decoder {
  decode(text: string): unknown;
}

/** Returns the value of a step, `now` or `uuid`, or throws the step's error. */
export function readRecorded(decoder: Decoder, { tag, value }: Outcome): unknown {
  const decoded = decoder.decode(value!);
  if (tag === "error") throw decoded;
  return decoded;
}

/** Throws if the stream was closed. */
export function readDone({ tag }: Outcome, stream: { workflowId: string; key: string }): void {
  if (tag === "stream_closed") throw new StreamClosedError(stream.workflowId, stream.key);
}

/** Returns the value that a wait found, or throws if its time was up. */
export function readFound(
  decoder: Decoder,
  { tag, value }: Outcome,
  wait: { label: string; timeoutMs: number | null },
): unknown {
  if (tag === "timeout") throw new TimeoutError(wait.label, wait.timeoutMs ?? 0);
  return decoder.decode(value!);
}

/** A wait for something of another workflow. */
interface Observation {
  readonly label: string;
  readonly timeoutMs: number | null;
  readonly workflowId: string;
}

/** Returns an event of another workflow, or throws if it can no longer come. */
export function readObserved(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  if (outcome.tag === "workflow_not_found") throw new WorkflowNotFoundError(wait.workflowId);
  if (outcome.tag === "workflow_ended") throw new WorkflowEndedError(wait.workflowId, outcome.value as WorkflowStatus);
  return readFound(decoder, outcome, wait);
}

/** Returns the result of another workflow, or throws how it failed. */
export function readResult(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  const { tag, value } = outcome;
  if (tag === "cancelled") throw new WorkflowCancelledError(wait.workflowId);
  if (tag === "error") {
    throw new WorkflowFailedError(wait.workflowId, value == null ? undefined : decoder.decode(value));
  }
  return readObserved(decoder, outcome, wait);
}
