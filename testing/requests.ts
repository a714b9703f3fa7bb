/**
 * The requests that a test makes of a driver, with defaults.
 *
 * @module
 */

import type {
  ClaimRequest,
  CommitRequest,
  CreateRequest,
  ListQuery,
  NewMessage,
  NewWorkflow,
  Operation,
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

/** A query for up to 100 workflows, whichever there are, with their values. */
export function listQuery(options: Partial<ListQuery> = {}): ListQuery {
  return { problem: false, values: true, statuses: null, name: null, limit: 100, cursor: null, ...options };
}
