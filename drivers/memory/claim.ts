/**
 * Claims: a run takes over workflows that are due.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult } from "../../core/driver/driver.ts";
import { journalPage, toRecord } from "./read.ts";
import type { WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

const FIRST_PAGE = 1_000;
const UNKNOWN_NAMES = 10;

/** About how many characters of values an answer holds. It always has room for one workflow. */
const ANSWER_LENGTH = 4 * 1_048_576;

/** `Driver.claim`. */
export function claim(store: MemoryStore, request: ClaimRequest): ClaimResult {
  const now = store.now();
  const due = dueRows(store, request);
  const names = new Set(request.names);
  const wanted = due.filter((row) => names.has(row.name));
  const repeated = [...store.leased.get(request.owner) ?? []].filter((row) => row.dueAt !== null && row.dueAt > now);
  if (repeated.length > 0) {
    const more = repeated.length < request.limit && wanted.length > 0;
    return { claimed: repeated.map((row) => toClaimed(store, row)), unknown: [], nextDueMs: null, now, more };
  }

  const limited = wanted.slice(0, Math.max(0, request.limit));
  const taken = fitting(limited.map((row) => ({ row, claimed: toClaimed(store, row) })));
  for (const { row } of taken) {
    if (row.held) row.recoveryAttempts += 1;
    store.lease(row, request.owner, request.leaseMs);
  }
  const all = request.workflowIds === null && taken.length < request.limit;
  const unknown = all ? new Set(due.filter((row) => !names.has(row.name)).map((row) => row.name)) : [];
  return {
    claimed: taken.map(({ row }) => toClaimed(store, row)),
    unknown: [...unknown].slice(0, UNKNOWN_NAMES),
    nextDueMs: all ? nextDueMs(store, store.scheduled) : nextDueMs(store, waitingRows(store, request)),
    now,
    more: taken.length < limited.length,
  };
}

/** The rows that a claim by ID names and that no run holds. */
function waitingRows(store: MemoryStore, { workflowIds, names }: ClaimRequest): WorkflowRow[] {
  const rows = (workflowIds ?? []).map((id) => store.rows.get(id));
  return rows.filter((row) => row !== undefined).filter((row) => !row.held && names.includes(row.name));
}

function nextDueMs(store: MemoryStore, rows: Iterable<WorkflowRow>): number | null {
  const now = store.now();
  let next = Infinity;
  for (const { dueAt } of rows) if (dueAt !== null && dueAt > now) next = Math.min(next, dueAt);
  return next < Infinity ? next - now : null;
}

/**
 * The rows that a claim may take, oldest due first. The sort is stable, so rows of one instant keep
 * the order in which they were scheduled.
 */
function dueRows(store: MemoryStore, { workflowIds, except }: ClaimRequest): WorkflowRow[] {
  const candidates = workflowIds === null ? store.scheduled : new Set(workflowIds.map((id) => store.rows.get(id)));
  const left = new Set(except);
  const due: { row: WorkflowRow; dueAt: number }[] = [];
  for (const row of candidates) {
    if (!row) continue;
    store.correct(row);
    if (row.dueAt !== null && store.isDue(row) && !left.has(row.workflowId)) due.push({ row, dueAt: row.dueAt });
  }
  return due.sort((a, b) => a.dueAt - b.dueAt).map(({ row }) => row);
}

/** As many of the first rows as one answer holds, at least one. */
function fitting<T extends { claimed: Claimed }>(due: readonly T[]): readonly T[] {
  let length = 0;
  const count = due.findIndex(({ claimed: { workflow, journal } }, index) => {
    length += workflow.input.length + (workflow.problem?.length ?? 0);
    for (const { outcome } of journal.entries) length += outcome.value?.length ?? 0;
    return index > 0 && length > ANSWER_LENGTH;
  });
  return count === -1 ? due : due.slice(0, count);
}

function toClaimed(store: MemoryStore, row: WorkflowRow): Claimed {
  const now = store.now();
  const open = [...row.entries.values()].filter((entry) => entry.outcome === null).sort((a, b) =>
    a.position - b.position
  );
  return {
    workflow: toRecord(row),
    epoch: row.epoch,
    now,
    journal: journalPage(row, { after: 0, limit: FIRST_PAGE, room: Math.max(0, ANSWER_LENGTH - row.input.length) }),
    open: open.map(({ position, label, attempts, deadline }) => ({
      position,
      label,
      attempts,
      remainingMs: deadline === null ? null : Math.max(0, deadline - now),
    })),
  };
}
