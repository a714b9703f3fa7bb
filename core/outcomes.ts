/**
 * What recorded outcomes mean to the code that asked for them.
 *
 * @module
 */

import type { Outcome } from "./driver.ts";
import { StreamClosedError, TimeoutError, WorkflowCancelledError, WorkflowFailedError } from "./errors.ts";
import type { Run } from "./executor.ts";

/** The value of a step, `now` or `uuid`; throws the step's error. */
export function readRecorded({ host }: Run, { tag, value }: Outcome): unknown {
  const decoded = host.values.decode(value!);
  if (tag === "error") throw decoded;
  return decoded;
}

/** Nothing; throws if a stream was closed. */
export function readDone({ tag }: Outcome, stream: { workflowId: string; key: string }): void {
  if (tag === "stream_closed") throw new StreamClosedError(stream.workflowId, stream.key);
}

/** The value that a wait found; throws if its time was up. */
export function readFound({ host }: Run, { tag, value }: Outcome, wait: { label: string; timeoutMs: number | null }): unknown {
  if (tag === "timeout") throw new TimeoutError(wait.label, wait.timeoutMs ?? 0);
  return host.values.decode(value!);
}

/** The result of another workflow; throws how it failed. */
export function readResult(run: Run, outcome: Outcome, wait: { label: string; timeoutMs: number | null; workflowId: string }): unknown {
  const { tag, value } = outcome;
  if (tag === "cancelled") throw new WorkflowCancelledError(wait.workflowId);
  if (tag === "error") throw new WorkflowFailedError(wait.workflowId, value == null ? undefined : run.host.values.decode(value));
  return readFound(run, outcome, wait);
}
