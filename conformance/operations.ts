/**
 * Operations and transitions, as a run commits them.
 *
 * @module
 */

import type { EndStatus, NewMessage, NewWorkflow, Operation, Outcome, Transition } from "../core/driver/driver.ts";

type RecordOperation = Extract<Operation, { type: "record" }>;

/** Records an outcome, as a step does. A string is the value of the outcome. */
export function record(position: number, outcome: string | Outcome, label: string = "step"): RecordOperation {
  return {
    position,
    label,
    type: "record",
    outcome: typeof outcome === "string" ? { tag: "value", value: outcome } : outcome,
  };
}

/** Sends from a workflow. With `null` as its position, from a step. */
export function send(position: number | null, message: NewMessage): Operation {
  return { position, label: "send", type: "send", message };
}

/** Sets an event. With `null` as its position, from a step. */
export function setEvent(position: number | null, key: string, value: string): Operation {
  return { position, label: `setEvent ${key}`, type: "setEvent", key, value };
}

/** Writes to a stream. With `null` as its position, from a step. */
export function writeStream(position: number | null, key: string, value: string): Operation {
  return { position, label: `writeStream ${key}`, type: "writeStream", key, value };
}

/** Closes a stream. */
export function closeStream(position: number, key: string): Operation {
  return { position, label: `closeStream ${key}`, type: "closeStream", key };
}

/** Starts another workflow. */
export function start(position: number, workflow: NewWorkflow): Operation {
  return { position, label: "start", type: "start", workflow };
}

/** Waits for a message under one of the topics. */
export function receive(position: number, topics: readonly string[], timeoutMs: number | null = null): Operation {
  return { position, label: `recv ${topics.join()}`, type: "receive", topics, timeoutMs };
}

/** Waits for an event. */
export function observeEvent(
  position: number,
  workflowId: string,
  key: string,
  timeoutMs: number | null = null,
  started: boolean = false,
): Operation {
  return { position, label: `getEvent ${key}`, type: "observeEvent", workflowId, key, timeoutMs, started };
}

/** Waits for the end of a workflow. */
export function observeResult(
  position: number,
  workflowId: string,
  timeoutMs: number | null = null,
  started: boolean = false,
  together: boolean = false,
): Operation {
  return { position, label: `result ${workflowId}`, type: "observeResult", workflowId, timeoutMs, started, together };
}

/** Waits for the end of a workflow together with those of others. */
export function observeTogether(position: number, workflowId: string, timeoutMs: number | null = null): Operation {
  return observeResult(position, workflowId, timeoutMs, true, true);
}

/** Sleeps. */
export function sleep(position: number, timeoutMs: number): Operation {
  return { position, label: "sleep", type: "sleep", timeoutMs };
}

/** Pauses between two tries of a step, after `attempts` failed ones. */
export function pause(position: number, attempts: number, timeoutMs: number, label: string = "step"): Operation {
  return { position, label, type: "pause", attempts, timeoutMs };
}

/** Suspends the workflow. */
export const SUSPEND: Transition = { to: "suspend" };

/** Hands the workflow over to another run. */
export const YIELD: Transition = { to: "yield" };

/** Parks the workflow for `delayMs` milliseconds. */
export function park(problem: string, delayMs: number): Transition {
  return { to: "park", problem, delayMs };
}

/** Ends the workflow. `text` is its output for `SUCCESS`, and its error otherwise. */
export function end(status: EndStatus = "SUCCESS", text: string | null = "null"): Transition {
  return { to: "end", status, output: status === "SUCCESS" ? text : null, error: status === "SUCCESS" ? null : text };
}
