/**
 * Everything that only reads. Each answer is made anew, so that a caller may keep and change it.
 *
 * @module
 */

import type { EventSnapshot, JournalPage, ListPage, ListQuery, StreamPage, WorkflowRecord } from "../../core/driver.ts";
import { DriverError, ValidationError } from "../../core/errors.ts";
import { checkName } from "../../core/names.ts";
import type { MemoryStore, WorkflowRow } from "./store.ts";

const PAGE_LENGTH = 1_048_576;

/** A row as callers see it. */
export function toRecord(row: WorkflowRow): WorkflowRecord {
  return {
    workflowId: row.workflowId,
    name: row.name,
    status: row.status,
    waiting: row.suspended ? { operations: openLabels(row), until: row.suspended.until } : null,
    input: row.input,
    output: row.output,
    error: row.error,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    recoveryAttempts: row.recoveryAttempts,
    problem: null,
    parks: 0,
  };
}

/** `Driver.readJournal`. */
export function readJournal(store: MemoryStore, request: { workflowId: string; after: number; limit: number }): JournalPage {
  const completed = store.rows.get(request.workflowId)?.completed ?? [];
  const from = Math.max(0, request.after);
  const count = pageSize(completed.length - from, request.limit, (index) => completed[from + index]?.outcome?.value?.length ?? 0);
  const entries = completed.slice(from, from + count).map(({ position, label, seq, outcome }) => {
    if (outcome === null) throw new DriverError(`Reading a journal: position ${position} has no outcome`, { retryable: false });
    return { position, label, seq, outcome: { ...outcome } };
  });
  return { entries, more: from + count < completed.length };
}

/** `Driver.readEvent`. */
export function readEvent(store: MemoryStore, request: { workflowId: string; key: string }): EventSnapshot {
  const row = store.rows.get(request.workflowId);
  const event = row?.events.get(request.key);
  return { event: event ? { ...event } : null, status: row?.status ?? null };
}

/** `Driver.readStream`. */
export function readStream(store: MemoryStore, request: { workflowId: string; key: string; from: number; limit: number }): StreamPage {
  const row = store.rows.get(request.workflowId);
  const stream = row?.streams.get(request.key);
  const values = stream?.values ?? [];
  const count = pageSize(values.length - request.from, request.limit, (index) => values[request.from + index]?.length ?? 0);
  return {
    values: values.slice(request.from, request.from + count),
    tail: values.length,
    closed: stream?.closed ?? false,
    status: row?.status ?? null,
  };
}

/** `Driver.listWorkflows`. */
export function listWorkflows(store: MemoryStore, query: ListQuery): ListPage {
  const after = query.cursor === null ? null : parseCursor(query.cursor);
  const rows = [...store.rows.values()]
    .filter((row) => query.statuses === null || query.statuses.includes(row.status))
    .filter((row) => query.name === null || row.name === query.name)
    .filter((row) => after === null || newestFirst(after, row) < 0)
    .sort(newestFirst);
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const cursor = last && rows.length > page.length ? JSON.stringify([last.createdAt, last.workflowId]) : null;
  return { workflows: page.map(toRecord), cursor };
}

function openLabels(row: WorkflowRow): string[] {
  const open = [...row.entries.values()].filter((entry) => entry.outcome === null);
  return open.sort((a, b) => a.position - b.position).map((entry) => entry.label);
}

/** How many of `available` items fit a page: at least one, unless none may. */
function pageSize(available: number, limit: number, lengthOf: (index: number) => number): number {
  const most = Math.min(available, limit);
  let length = 0;
  let count = 0;
  while (count < most) {
    length += lengthOf(count);
    if (count > 0 && length > PAGE_LENGTH) break;
    count += 1;
  }
  return count;
}

type Place = Pick<WorkflowRow, "createdAt" | "workflowId">;

function newestFirst(a: Place, b: Place): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.workflowId < b.workflowId ? -1 : a.workflowId > b.workflowId ? 1 : 0;
}

function parseCursor(cursor: string): Place {
  try {
    const [createdAt, workflowId] = JSON.parse(cursor);
    checkName(workflowId, "workflow ID");
    if (typeof createdAt === "number") return { createdAt, workflowId };
  } catch {
    // Not JSON, or no ID: the same error as below.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}
