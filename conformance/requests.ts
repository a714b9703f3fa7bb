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

/** The default lease of requests. It is long, because the clock of some stores runs by itself. */
export const LEASE_MS = 60_000;

/** The default name of workflows. */
export const NAME = "order";

/** A new workflow, as for a start. */
export function newWorkflow(
  workflowId: string,
  { name = NAME, input = "null" }: { name?: string; input?: string } = {},
): NewWorkflow {
  return { workflowId, name, input };
}

/** A new message. By default it has an ID and a dedupe key of its own. */
export function newMessage(destinationId: string, options: Partial<NewMessage> = {}): NewMessage {
  const messageId = options.messageId ?? crypto.randomUUID();
  return { destinationId, topic: "", messageId, dedupeKey: messageId, value: '"hello"', ...options };
}

/** A request for a leased workflow, or with `leaseMs: null` for an enqueued one. */
export function createRequest(workflowId: string, options: Partial<CreateRequest> = {}): CreateRequest {
  return { ...newWorkflow(workflowId), owner: crypto.randomUUID(), leaseMs: LEASE_MS, ...options };
}

/** A request for up to 100 due workflows. */
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

/** A query for up to 100 workflows with their values. */
export function listQuery(options: Partial<ListQuery> = {}): ListQuery {
  return { problem: false, values: true, statuses: null, name: null, limit: 100, cursor: null, ...options };
}
