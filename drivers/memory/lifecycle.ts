/**
 * Calls from outside that create, cancel, resume and remove workflows.
 *
 * @module
 */

import type { ControlResult, CreateRequest, CreateResult } from "../../core/driver/driver.ts";
import { isActive } from "../../core/driver/statuses.ts";
import { statusTargets } from "../../core/time/subscriptions.ts";
import type { WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

/** `Driver.create`. */
export function create(store: MemoryStore, request: CreateRequest): CreateResult {
  const existing = store.rows.get(request.workflowId);
  if (existing) {
    const firstEpoch = request.leaseMs === null ? 0 : 1;
    return toResult(store, existing, existing.owner === request.owner && existing.epoch === firstEpoch);
  }
  const row = store.insert(request, request.leaseMs === null ? "ENQUEUED" : "PENDING", request.owner);
  if (request.leaseMs === null) store.makeDue(row);
  else store.lease(row, request.owner, request.leaseMs);
  return toResult(store, row, true);
}

/** `Driver.control`. */
export function control(
  store: MemoryStore,
  request: { workflowId: string; action: "cancel" | "resume" },
): ControlResult {
  const row = store.rows.get(request.workflowId);
  if (!row) return { state: "not_found" };
  return request.action === "cancel" ? cancel(store, row) : resume(store, row);
}

/** `Driver.purge`. */
export function purge(store: MemoryStore, request: { olderThanMs: number; limit: number }): { purged: number } {
  const before = store.now() - request.olderThanMs;
  const old: { row: WorkflowRow; endedAt: number }[] = [];
  for (const row of store.rows.values()) {
    if (row.endedAt !== null && row.endedAt <= before && !isAwaited(row)) old.push({ row, endedAt: row.endedAt });
  }
  const purged = old.sort((a, b) => a.endedAt - b.endedAt).slice(0, request.limit);
  // An ended workflow is neither scheduled nor registered as a waiter, so only its row has to go.
  for (const { row } of purged) {
    store.rows.delete(row.workflowId);
    store.hints.changed(...statusTargets(row.workflowId));
  }
  return { purged: purged.length };
}

/** Whether the workflow's parent may still ask for its result. A parent that is gone had ended. */
function isAwaited({ parent }: WorkflowRow): boolean {
  return parent !== null && isActive(parent.status);
}

function cancel(store: MemoryStore, row: WorkflowRow): ControlResult {
  if (row.status === "CANCELLED") return { state: "done", woken: [] };
  if (!isActive(row.status)) return { state: "ended", status: row.status };
  const woken = new Set<string>();
  store.end(row, { status: "CANCELLED", output: null, error: null }, woken);
  store.hints.changed(`inbox:${row.workflowId}`);
  return { state: "done", woken: [...woken] };
}

function resume(store: MemoryStore, row: WorkflowRow): ControlResult {
  if (isActive(row.status)) {
    if (row.status === "PENDING") resumeActive(store, row);
    const isDue = row.status === "PENDING" && store.isDue(row);
    return { state: "done", woken: isDue ? [row.workflowId] : [] };
  }
  if (row.status !== "CANCELLED" && row.status !== "MAX_RECOVERY_ATTEMPTS_EXCEEDED") {
    return { state: "ended", status: row.status };
  }
  row.status = "PENDING";
  row.output = row.error = row.endedAt = null;
  row.epoch += 1;
  row.recoveryAttempts = 0;
  row.updatedAt = store.now();
  store.makeDue(row);
  store.hints.changed(`inbox:${row.workflowId}`);
  store.hints.changed(...statusTargets(row.workflowId));
  return { state: "done", woken: [row.workflowId] };
}

function resumeActive(store: MemoryStore, row: WorkflowRow): void {
  store.correct(row);
  if (row.problem === null || row.held) return;
  row.parks = 0;
  store.hasten(row);
}

function toResult(store: MemoryStore, row: WorkflowRow, created: boolean): CreateResult {
  return { created, name: row.name, epoch: row.epoch, createdAt: row.createdAt, now: store.now() };
}
