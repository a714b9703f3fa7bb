/**
 * An operation of a workflow's code: how the context describes it to the run, and what its recorded outcome means to the code.
 *
 * @module
 */

import type { Effect, Outcome, Wait, WorkflowStatus } from "../driver/driver.ts";
import {
  StreamClosedError,
  TimeoutError,
  WorkflowCancelledError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "../errors.ts";

/** What an operation does. */
export type Body = Effect | Wait;

/**
 * Begins an operation: what it does, at once unless the value has to be checked by an asynchronous schema. What it throws is recorded as the refusal.
 *
 * @param open What is known of a step whose tries an earlier run has begun: how many have failed, and how long it is to the next one.
 */
export type Begin = (position: number, open?: { attempts: number; remainingMs: number }) => Body | Promise<Body>;

/** An operation of a workflow's code. */
export interface OperationSpec<T> {
  /** Names it in the journal: what it is, and of which channel or step. */
  label: string;
  /**
   * Takes the caller's values, in the turn of the call. Not called if the outcome is known to be recorded. What it throws is recorded as the
   * refusal.
   */
  take(): Begin;
  /** `true`: it takes its place among the commits when it is done, as a step does; else when it is called. */
  takesTime?: boolean;
  /** `true`: {@linkcode OperationSpec.read} also reads errors. Else an `error` is the refusal of the operation. */
  readsErrors?: boolean;
  /**
   * What follows its outcome before the code gets to know it: an operation at the next position, whose value is then this one's. `isWanted` does not
   * count on a replay: it follows if it has followed before. So its label must be of no other operation: it tells the position of this one.
   */
  follow?(outcome: Outcome, position: number): { spec: OperationSpec<T>; isWanted: boolean } | undefined;
  /** Its value, or throws its error. */
  read(outcome: Outcome): T;
}

/** Decodes stored texts, as a run does. */
interface Decoder {
  decode(text: string): unknown;
}

/** The value of a step, `now` or `uuid`; throws the step's error. */
export function readRecorded(decoder: Decoder, { tag, value }: Outcome): unknown {
  const decoded = decoder.decode(value!);
  if (tag === "error") throw decoded;
  return decoded;
}

/** Nothing; throws if a stream was closed. */
export function readDone({ tag }: Outcome, stream: { workflowId: string; key: string }): void {
  if (tag === "stream_closed") throw new StreamClosedError(stream.workflowId, stream.key);
}

/** The value that a wait found; throws if its time was up. */
export function readFound(
  decoder: Decoder,
  { tag, value }: Outcome,
  wait: { label: string; timeoutMs: number | null },
): unknown {
  if (tag === "timeout") throw new TimeoutError(wait.label, wait.timeoutMs ?? 0);
  return decoder.decode(value!);
}

/** A wait for what comes from another workflow. */
interface Observation {
  readonly label: string;
  readonly timeoutMs: number | null;
  readonly workflowId: string;
}

/** An event of another workflow; throws if there will be none. */
export function readObserved(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  if (outcome.tag === "workflow_not_found") throw new WorkflowNotFoundError(wait.workflowId);
  if (outcome.tag === "workflow_ended") throw new WorkflowEndedError(wait.workflowId, outcome.value as WorkflowStatus);
  return readFound(decoder, outcome, wait);
}

/** The result of another workflow; throws how it failed. */
export function readResult(decoder: Decoder, outcome: Outcome, wait: Observation): unknown {
  const { tag, value } = outcome;
  if (tag === "cancelled") throw new WorkflowCancelledError(wait.workflowId);
  if (tag === "error") {
    throw new WorkflowFailedError(wait.workflowId, value == null ? undefined : decoder.decode(value));
  }
  return readObserved(decoder, outcome, wait);
}
