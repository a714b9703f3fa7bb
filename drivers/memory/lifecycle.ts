/**
 * Calls from outside that create, cancel, resume and remove workflows.
 *
 * @module
 */

import type {
  ControlRequest,
  ControlResult,
  CreateRequest,
  CreateResult,
  DeleteResult,
} from "../../core/driver/driver.ts";
import { isActive } from "../../core/driver/statuses.ts";
import { statusTargets } from "../../core/time/subscriptions.ts";
import { restore } from "./inbox.ts";
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
  if (request.leaseMs !== null) store.lease(row, request.owner, request.leaseMs);
  else if (request.due) store.wait(row, "at" in request.due ? request.due.at : store.now() + request.due.inMs);
  else store.makeDue(row);
  return toResult(store, row, true);
}

/** `Driver.control`. */
export function control(store: MemoryStore, request: ControlRequest): ControlResult {
  const row = store.rows.get(request.workflowId);
  if (!row) return { state: "not_found" };
  return request.action === "cancel" ? cancel(store, row, request.children ?? false) : resume(store, row, request.from);
}

/** `Driver.delete`. */
export function deleteWorkflow(store: MemoryStore, { workflowId }: { workflowId: string }): DeleteResult {
  const row = store.rows.get(workflowId);
  if (!row) return { state: "not_found" };
  if (isActive(row.status)) return { state: "active", status: row.status };
  remove(store, row);
  return { state: "done" };
}

/** `Driver.purge`. */
export function purge(store: MemoryStore, request: { olderThanMs: number; limit: number }): { purged: number } {
  const before = store.now() - request.olderThanMs;
  const old: { row: WorkflowRow; endedAt: number }[] = [];
  for (const row of store.rows.values()) {
    if (row.endedAt !== null && row.endedAt <= before && !isAwaited(row)) old.push({ row, endedAt: row.endedAt });
  }
  const purged = old.sort((a, b) => a.endedAt - b.endedAt).slice(0, request.limit);
  for (const { row } of purged) remove(store, row);
  return { purged: purged.length };
}

/** An ended workflow is neither scheduled nor registered as a waiter, so only its row has to go. */
function remove(store: MemoryStore, { workflowId }: WorkflowRow): void {
  store.rows.delete(workflowId);
  store.hints.changed(...statusTargets(workflowId));
}

/** Whether the workflow's parent may still ask for its result. A parent that is gone had ended. */
function isAwaited({ parent }: WorkflowRow): boolean {
  return parent !== null && isActive(parent.status);
}

function cancel(store: MemoryStore, row: WorkflowRow, children: boolean): ControlResult {
  if (!isActive(row.status) && row.status !== "CANCELLED") return { state: "ended", status: row.status };
  const cancelled = [row, ...children ? descendants(store, row) : []].filter(({ status }) => isActive(status));
  const woken = new Set<string>();
  for (const one of cancelled) {
    store.end(one, { status: "CANCELLED", output: null, error: null }, woken);
    store.hints.changed(`inbox:${one.workflowId}`);
  }
  for (const { workflowId } of cancelled) woken.delete(workflowId);
  return { state: "done", woken: [...woken] };
}

/** The workflows that this one has started, those that they have started, and so on. */
function descendants(store: MemoryStore, row: WorkflowRow): WorkflowRow[] {
  const found = new Set([row]);
  // A set yields what is added to it during the loop.
  for (const parent of found) {
    for (const child of store.rows.values()) if (child.parent === parent) found.add(child);
  }
  found.delete(row);
  return [...found];
}

function resume(
  store: MemoryStore,
  row: WorkflowRow,
  from: { position: number; token: string } | undefined,
): ControlResult {
  if (isActive(row.status)) {
    if (from && row.owner !== from.token) return { state: "active", status: row.status };
    if (row.status === "PENDING") resumeActive(store, row);
    const isDue = row.status === "PENDING" && store.isDue(row);
    return { state: "done", woken: isDue ? [row.workflowId] : [] };
  }
  if (row.status === "SUCCESS") return { state: "ended", status: row.status };
  rewind(row, from?.position ?? (row.status === "ERROR" ? row.failedPosition : null) ?? Infinity);
  row.status = "PENDING";
  row.output =
    row.error =
    row.endedAt =
    row.failedPosition =
      null;
  if (from) row.owner = from.token;
  row.epoch += 1;
  row.recoveryAttempts = 0;
  row.updatedAt = store.now();
  store.makeDue(row);
  store.hints.changed(`inbox:${row.workflowId}`);
  store.hints.changed(...statusTargets(row.workflowId));
  return { state: "done", woken: [row.workflowId] };
}

/** Drops the entries of the journal from a position on. */
function rewind(row: WorkflowRow, from: number): void {
  const dropped = [...row.entries.values()].filter(({ position }) => position >= from);
  if (dropped.length === 0) return;
  for (const { position } of dropped) row.entries.delete(position);
  row.completed = row.completed.filter(({ position }) => position < from);
  row.rewinds += 1;
  restore(row, dropped.flatMap(({ message }) => message ?? []));
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
