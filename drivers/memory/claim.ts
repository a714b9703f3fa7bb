/**
 * Taking over what is due.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult } from "../../core/driver.ts";
import { readJournal, toRecord } from "./read.ts";
import type { MemoryStore, WorkflowRow } from "./store.ts";

const FIRST_PAGE = 1_000;
const UNKNOWN_NAMES = 10;

/** `Driver.claim`. */
export function claim(store: MemoryStore, request: ClaimRequest): ClaimResult {
  const now = store.now();
  const repeated = [...store.leased.get(request.owner) ?? []].filter((row) => row.dueAt !== null && row.dueAt > now);
  if (repeated.length > 0) return { claimed: repeated.map((row) => toClaimed(store, row)), unknown: [], nextDueMs: null, more: false };

  const names = new Set(request.names);
  const due = dueRows(store, request.workflowIds);
  const taken = due.filter((row) => names.has(row.name)).slice(0, Math.max(0, request.limit));
  for (const row of taken) {
    if (row.held) row.recoveryAttempts += 1;
    store.lease(row, request.owner, request.leaseMs);
  }
  const all = request.workflowIds === null && taken.length < request.limit;
  const unknown = all ? new Set(due.filter((row) => !names.has(row.name)).map((row) => row.name)) : [];
  return {
    claimed: taken.map((row) => toClaimed(store, row)),
    unknown: [...unknown].slice(0, UNKNOWN_NAMES),
    nextDueMs: all ? nextDueMs(store) : null,
    more: false,
  };
}

function nextDueMs(store: MemoryStore): number | null {
  const now = store.now();
  let next = Infinity;
  for (const { dueAt } of store.scheduled) if (dueAt !== null && dueAt > now) next = Math.min(next, dueAt);
  return next < Infinity ? next - now : null;
}

/** What a claim may take, oldest due first. A sort keeps rows of one instant in the order in which they were scheduled. */
function dueRows(store: MemoryStore, workflowIds: readonly string[] | null): WorkflowRow[] {
  const now = store.now();
  const candidates = workflowIds === null ? store.scheduled : new Set(workflowIds.map((id) => store.rows.get(id)));
  const due: { row: WorkflowRow; dueAt: number }[] = [];
  for (const row of candidates) {
    if (row && row.dueAt !== null && row.dueAt <= now) due.push({ row, dueAt: row.dueAt });
  }
  return due.sort((a, b) => a.dueAt - b.dueAt).map(({ row }) => row);
}

function toClaimed(store: MemoryStore, row: WorkflowRow): Claimed {
  const open = [...row.entries.values()].filter((entry) => entry.outcome === null).sort((a, b) => a.position - b.position);
  return {
    workflow: toRecord(row),
    epoch: row.epoch,
    now: store.now(),
    journal: readJournal(store, { workflowId: row.workflowId, after: 0, limit: FIRST_PAGE }),
    open: open.map(({ position, label }) => ({ position, label, attempts: 0, remainingMs: null })),
  };
}
