/**
 * Calls that only read. Each answer is a copy, so that a caller may keep and change it.
 *
 * @module
 */

import type {
  EventSnapshot,
  JournalPage,
  ListedWorkflow,
  ListPage,
  ListQuery,
  StreamSnapshot,
  WorkflowRecord,
  WorkflowSnapshot,
} from "../../core/driver/driver.ts";
import { DriverError } from "../../core/errors.ts";
import { parseListCursor } from "../../core/values/list_cursor.ts";
import { LIST_LENGTH, MAX_LISTED_ERROR_LENGTH, PAGE_LENGTH, pageSize } from "../page_size.ts";
import { countUnread } from "./inbox.ts";
import type { WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

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
    failed: toFailed(row),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    endedAt: row.endedAt,
    unread: countUnread(row),
    generation: row.generation,
    rewinds: row.rewinds,
    recoveryAttempts: row.recoveryAttempts,
    problem: row.problem,
    parks: row.parks,
  };
}

function toFailed({ failedPosition, entries }: WorkflowRow): WorkflowRecord["failed"] {
  const entry = failedPosition === null ? undefined : entries.get(failedPosition);
  return entry ? { position: entry.position, label: entry.label } : null;
}

/** `Driver.readJournal`. */
export function readJournal(
  store: MemoryStore,
  request: { workflowId: string; after: number; limit: number },
): JournalPage {
  const row = store.rows.get(request.workflowId);
  return row ? journalPage(row, { ...request, room: Infinity }) : { entries: [], more: false };
}

/** A page of a journal. It is empty if not even its first entry fits the room. */
export function journalPage(
  { completed }: WorkflowRow,
  request: { after: number; limit: number; room: number },
): JournalPage {
  const from = completed.findIndex(({ seq }) => seq > request.after);
  if (from === -1) return { entries: [], more: false };
  const lengthOf = (index: number) => completed[from + index]?.outcome?.value?.length ?? 0;
  const count = pageSize({ ...request, available: completed.length - from, length: PAGE_LENGTH }, lengthOf);
  const entries = completed.slice(from, from + count).map(({ position, label, seq, outcome }) => {
    if (outcome === null) {
      throw new DriverError(`Reading a journal: position ${position} has no outcome`, { retryable: false });
    }
    return { position, label, seq, outcome: { ...outcome } };
  });
  return { entries, more: from + count < completed.length };
}

/** `Driver.readWorkflow`. */
export function readWorkflow(store: MemoryStore, workflowId: string, now = false): WorkflowSnapshot | null {
  const row = store.rows.get(workflowId);
  return row ? { ...toRecord(row), ...(now && { now: store.now() }) } : null;
}

/** `Driver.readEvent`. */
export function readEvent(
  store: MemoryStore,
  request: { workflowId: string; key: string; now?: boolean | undefined },
): EventSnapshot {
  const row = store.rows.get(request.workflowId);
  const event = row?.events.get(request.key);
  return {
    event: event ? { version: event.version, value: event.value } : null,
    status: row?.status ?? null,
    ...(request.now && { now: store.now() }),
  };
}

/** `Driver.readStream`. */
export function readStream(
  store: MemoryStore,
  request: { workflowId: string; key: string; from: number; limit: number },
): StreamSnapshot {
  const row = store.rows.get(request.workflowId);
  const stream = row?.streams.get(request.key);
  const values = stream?.values ?? [];
  const size = { available: values.length - request.from, limit: request.limit, length: PAGE_LENGTH };
  const count = pageSize(size, (index) => values[request.from + index]?.length ?? 0);
  return {
    values: values.slice(request.from, request.from + count),
    tail: values.length,
    closed: stream?.closed ?? false,
    status: row?.status ?? null,
  };
}

/** `Driver.listWorkflows`. */
export function listWorkflows(store: MemoryStore, query: ListQuery): ListPage {
  const place = parseListCursor(query.cursor);
  const after = place && { createdAt: place[0], workflowId: place[1] };
  const rows = [...store.rows.values()]
    .filter((row) => query.statuses === null || query.statuses.includes(row.status))
    .filter((row) => query.name === null || row.name === query.name)
    .filter((row) => !query.problem || row.problem !== null)
    .filter((row) => !query.due || store.isDue(row))
    .filter((row) => row.workflowId.startsWith(query.idPrefix ?? ""))
    .filter((row) => query.createdAfter === undefined || row.createdAt > query.createdAfter)
    .filter((row) => query.createdBefore === undefined || row.createdAt < query.createdBefore)
    .filter((row) => after === null || newestFirst(after, row) < 0)
    .sort(newestFirst);
  const { values, limit } = query;
  const size = { available: rows.length, limit, length: values ? LIST_LENGTH : Infinity };
  const page = rows.slice(0, pageSize(size, (index) => valuesLength(rows[index])));
  const last = page.at(-1);
  const cursor = last && rows.length > page.length ? JSON.stringify([last.createdAt, last.workflowId]) : null;
  return { workflows: page.map((row) => values ? toRecord(row) : toListed(row)), cursor };
}

function toListed(row: WorkflowRow): ListedWorkflow {
  const error = row.error !== null && row.error.length > MAX_LISTED_ERROR_LENGTH ? null : row.error;
  return { ...toRecord(row), input: null, output: null, error };
}

function valuesLength(row: WorkflowRow | undefined): number {
  return row ? row.input.length + (row.output?.length ?? 0) + (row.error?.length ?? 0) : 0;
}

function openLabels(row: WorkflowRow): string[] {
  const open = [...row.entries.values()].filter((entry) => entry.outcome === null);
  return open.sort((a, b) => a.position - b.position).map((entry) => entry.label);
}

type Place = Pick<WorkflowRow, "createdAt" | "workflowId">;

function newestFirst(a: Place, b: Place): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.workflowId < b.workflowId ? -1 : a.workflowId > b.workflowId ? 1 : 0;
}
