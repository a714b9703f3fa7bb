/**
 * What recorded outcomes mean to the code that asked for them.
 *
 * @module
 */

import type { Outcome, WorkflowStatus } from "./driver.ts";
import {
  StreamClosedError,
  TimeoutError,
  WorkflowCancelledError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "./errors.ts";
import type { Run } from "./executor.ts";

/** The value of a step, `now` or `uuid`; throws the step's error. */
export function readRecorded(run: Run, { tag, value }: Outcome): unknown {
  const decoded = run.decode(value!);
  if (tag === "error") throw decoded;
  return decoded;
}

/** Nothing; throws if a stream was closed. */
export function readDone({ tag }: Outcome, stream: { workflowId: string; key: string }): void {
  if (tag === "stream_closed") throw new StreamClosedError(stream.workflowId, stream.key);
}

/** The value that a wait found; throws if its time was up. */
export function readFound(run: Run, { tag, value }: Outcome, wait: { label: string; timeoutMs: number | null }): unknown {
  if (tag === "timeout") throw new TimeoutError(wait.label, wait.timeoutMs ?? 0);
  return run.decode(value!);
}

/** A wait for what comes from another workflow. */
interface Observation {
  readonly label: string;
  readonly timeoutMs: number | null;
  readonly workflowId: string;
}

/** An event of another workflow; throws if there will be none. */
export function readObserved(run: Run, outcome: Outcome, wait: Observation): unknown {
  if (outcome.tag === "workflow_not_found") throw new WorkflowNotFoundError(wait.workflowId);
  if (outcome.tag === "workflow_ended") throw new WorkflowEndedError(wait.workflowId, outcome.value as WorkflowStatus);
  return readFound(run, outcome, wait);
}

/** The result of another workflow; throws how it failed. */
export function readResult(run: Run, outcome: Outcome, wait: Observation): unknown {
  const { tag, value } = outcome;
  if (tag === "cancelled") throw new WorkflowCancelledError(wait.workflowId);
  if (tag === "error") throw new WorkflowFailedError(wait.workflowId, value == null ? undefined : run.decode(value));
  return readObserved(run, outcome, wait);
}
