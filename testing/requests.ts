/**
 * Short ways to say what a test asks of a driver.
 *
 * @module
 */

import type {
  ClaimRequest,
  CommitRequest,
  CreateRequest,
  EndStatus,
  NewMessage,
  NewWorkflow,
  Operation,
  Outcome,
  Transition,
} from "../core/driver/driver.ts";

/** The lease that requests ask for unless they say otherwise. Long, since a store's clock also runs by itself. */
export const LEASE_MS = 60_000;

/** The name of workflows that have no other. */
export const NAME = "order";

/** A workflow to be, as for `start`. */
export function newWorkflow(
  workflowId: string,
  { name = NAME, input = "null" }: { name?: string; input?: string } = {},
): NewWorkflow {
  return { workflowId, name, input };
}

/** A message to be; with an ID and a dedupe key of its own unless they are given. */
export function newMessage(destinationId: string, options: Partial<NewMessage> = {}): NewMessage {
  const messageId = options.messageId ?? crypto.randomUUID();
  return { destinationId, topic: "", messageId, dedupeKey: messageId, value: '"hello"', ...options };
}

/** A request for a leased workflow; with `leaseMs: null` for an enqueued one. */
export function createRequest(workflowId: string, options: Partial<CreateRequest> = {}): CreateRequest {
  return { ...newWorkflow(workflowId), owner: crypto.randomUUID(), leaseMs: LEASE_MS, ...options };
}

/** A request for up to 100 workflows, whichever are due. */
export function claimRequest(options: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    workflowIds: null,
    names: [NAME],
    except: [],
    limit: 100,
    leaseMs: LEASE_MS,
    owner: crypto.randomUUID(),
    ...options,
  };
}

/** A commit of the given operations. */
export function commitRequest(
  run: { workflowId: string; epoch: number; owner: string; number: number },
  operations: readonly Operation[],
  transition: Transition | null = null,
): CommitRequest {
  return { ...run, leaseMs: LEASE_MS, operations, transition };
}

/** Records a value, or any other outcome, as of a step. */
export function record(position: number, outcome: string | Outcome, label: string = "step"): Operation {
  return {
    position,
    label,
    type: "record",
    outcome: typeof outcome === "string" ? { tag: "value", value: outcome } : outcome,
  };
}

/** Sends from a workflow; with `null` from a step. */
export function send(position: number | null, message: NewMessage): Operation {
  return { position, label: "send", type: "send", message };
}

/** Sets an event; with `null` from a step. */
export function setEvent(position: number | null, key: string, value: string): Operation {
  return { position, label: `setEvent ${key}`, type: "setEvent", key, value };
}

/** Writes to a stream; with `null` from a step. */
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
): Operation {
  return {
    position,
    label: `result ${workflowId}`,
    type: "observeResult",
    workflowId,
    timeoutMs,
    started,
    together: false,
  };
}

/** Waits for the ends of several workflows, one of which this is. */
export function observeTogether(position: number, workflowId: string, timeoutMs: number | null = null): Operation {
  return {
    position,
    label: `result ${workflowId}`,
    type: "observeResult",
    workflowId,
    timeoutMs,
    started: true,
    together: true,
  };
}

/** Waits. */
export function sleep(position: number, timeoutMs: number): Operation {
  return { position, label: "sleep", type: "sleep", timeoutMs };
}

/** Waits between two tries of a step, of which so many have failed. */
export function pause(position: number, attempts: number, timeoutMs: number, label: string = "step"): Operation {
  return { position, label, type: "pause", attempts, timeoutMs };
}

/** Suspends. */
export const SUSPEND: Transition = { to: "suspend" };

/** Hands over to another run. */
export const YIELD: Transition = { to: "yield" };

/** Parks, for so many milliseconds. */
export function park(problem: string, delayMs: number): Transition {
  return { to: "park", problem, delayMs };
}

/** Ends; with an output for `SUCCESS`, an error otherwise. */
export function end(status: EndStatus = "SUCCESS", text: string | null = "null"): Transition {
  return { to: "end", status, output: status === "SUCCESS" ? text : null, error: status === "SUCCESS" ? null : text };
}
