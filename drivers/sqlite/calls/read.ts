/**
 * Calls that read workflows, events and streams.
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
} from "../../../core/driver/driver.ts";
import { parseListCursor } from "../../../core/values/list_cursor.ts";
import { LIST_LENGTH, MAX_LISTED_ERROR_LENGTH, PAGE_LENGTH, pageSize } from "../../page_size.ts";
import type { Database, Param } from "../database.ts";
import { LEASE_END } from "../schema.ts";
import { countUnread } from "./inbox.ts";
import { journalPage } from "./journal.ts";
import { stateOf, type WorkflowTexts } from "./row.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** Reads the long texts of a row. The call has not changed them. */
export function readTexts({ database }: Transaction, { workflowId }: ChangedRow): WorkflowTexts | undefined {
  const sql = "select input, output, error from parley_workflows where id = ?";
  return database.all<WorkflowTexts>(sql, workflowId)[0];
}

/** A row as callers see it. */
export function readRecord(tx: Transaction, row: ChangedRow, texts = readTexts(tx, row)): WorkflowRecord {
  return { ...toListed(tx, row, texts), input: texts?.input ?? "" };
}

/** `Driver.readWorkflow`. */
export function readWorkflow(
  tx: Transaction,
  workflowId: string,
  { counts = false, now = false }: { counts?: boolean | undefined; now?: boolean | undefined } = {},
): WorkflowSnapshot | null {
  const row = tx.find(workflowId);
  if (!row) return null;
  const unread = counts ? countUnread(tx, row) : null;
  return { ...readRecord(tx, row), unread, ...(now && { now: tx.now }) };
}

/** `Driver.readJournal`. */
export function readJournal(
  { database }: Transaction,
  { workflowId, ...page }: { workflowId: string; after: number; limit: number },
): JournalPage {
  const workflow = stateOf(database, workflowId);
  if (!workflow) return { entries: [], more: false };
  return journalPage(database, { ...page, workflow: workflow.number, room: Infinity });
}

/** `Driver.readEvent`. */
export function readEvent(
  tx: Transaction,
  { workflowId, key, now }: { workflowId: string; key: string; now?: boolean | undefined },
): EventSnapshot {
  const workflow = stateOf(tx.database, workflowId);
  const sql = "select version, value from parley_events where workflow = ? and key = ?";
  const [event] = workflow ? tx.database.all<{ version: number; value: string }>(sql, workflow.number, key) : [];
  return {
    event: event ? { version: event.version, value: event.value } : null,
    status: workflow?.status ?? null,
    ...(now && { now: tx.now }),
  };
}

/** `Driver.readStream`. */
export function readStream(
  { database }: Transaction,
  { workflowId, key, from, limit }: { workflowId: string; key: string; from: number; limit: number },
): StreamSnapshot {
  const workflow = stateOf(database, workflowId);
  if (!workflow) return { values: [], tail: 0, closed: false, status: null };
  const { number, status } = workflow;
  const [stream] = database.all<{ tail: number; closed: number }>(
    "select tail, closed from parley_streams where workflow = ? and key = ?",
    number,
    key,
  );
  const sizes = database.all<{ size: number }>(
    `select octet_length(value) as size from parley_stream_values
    where workflow = ? and key = ? and place >= ? order by place limit ?`,
    number,
    key,
    from,
    limit,
  );
  const count = pageSize({ available: sizes.length, limit, length: PAGE_LENGTH }, (index) => sizes[index]?.size ?? 0);
  const values = count === 0 ? [] : database.all<{ value: string }>(
    "select value from parley_stream_values where workflow = ? and key = ? and place >= ? order by place limit ?",
    number,
    key,
    from,
    count,
  );
  return {
    values: values.map(({ value }) => value),
    tail: stream?.tail ?? 0,
    closed: stream?.closed === 1,
    status,
  };
}

/** `Driver.listWorkflows`. */
export function listWorkflows(tx: Transaction, query: ListQuery): ListPage {
  const { where, params } = conditions(tx, query);
  const size = "octet_length(input) + coalesce(octet_length(output), 0) + coalesce(octet_length(error), 0)";
  const part = (condition: string) =>
    `select * from (
      select id, created_at as createdAt, ${query.values ? size : "0"} as size from parley_workflows as w
      where ${[condition, ...where].join(" and ")} order by created_at desc, id limit ?
    )`;
  const limit = query.limit + 1;
  const found = tx.database.all<{ id: string; createdAt: number; size: number }>(
    // The index of creation leaves fresh workflows out. All of them are running.
    `${part("fresh = 0")} union all ${part("phase = 'running' and fresh = 1")} order by createdAt desc, id limit ?`,
    ...[...params, limit, ...params, limit, limit],
  );
  const bounds = { available: found.length, limit: query.limit, length: LIST_LENGTH };
  const page = found.slice(0, pageSize(bounds, (index) => found[index]?.size ?? 0));
  const last = page.at(-1);
  const cursor = last && found.length > page.length ? JSON.stringify([last.createdAt, last.id]) : null;
  const rows = page.flatMap(({ id }) => tx.find(id) ?? []);
  return { workflows: rows.map((row) => query.values ? readRecord(tx, row) : toShort(tx, row)), cursor };
}

function conditions({ now }: Transaction, query: ListQuery): { where: string[]; params: Param[] } {
  const where: string[] = [];
  const params: Param[] = [];
  const add = (condition: string, ...values: Param[]) => {
    where.push(condition);
    params.push(...values);
  };
  const { statuses, name, problem, due, idPrefix, createdAfter, createdBefore } = query;
  const place = parseListCursor(query.cursor);
  if (statuses !== null) add("status in (select value from json_each(?))", JSON.stringify(statuses));
  if (name !== null) add("name = ?", name);
  if (problem) add("problem is not null");
  if (due) {
    add(
      `(phase = 'ready' or (phase = 'waiting' and due_at <= ?) or (phase = 'running' and ${LEASE_END} <= ?))`,
      now,
      now,
    );
  }
  // A number that is bound may be a real number, which `substr` refuses in some clients.
  if (idPrefix) add("substr(id, 1, length(?)) = ?", idPrefix, idPrefix);
  if (createdAfter !== undefined) add("created_at > ?", createdAfter);
  if (createdBefore !== undefined) add("created_at < ?", createdBefore);
  if (place) add("created_at <= ? and (created_at < ? or id > ?)", place[0], place[0], place[1]);
  return { where, params };
}

function toShort(tx: Transaction, row: ChangedRow): ListedWorkflow {
  const sql = `select case when length(error) <= ${MAX_LISTED_ERROR_LENGTH} then error end as error
    from parley_workflows where id = ?`;
  const [texts] = tx.database.all<{ error: string | null }>(sql, row.workflowId);
  return toListed(tx, row, { input: null, output: null, error: texts?.error ?? null });
}

function toListed(
  { database }: Transaction,
  row: ChangedRow,
  texts: { input: string | null; output: string | null; error: string | null } | undefined,
): ListedWorkflow {
  return {
    workflowId: row.workflowId,
    name: row.name,
    status: row.status,
    waiting: row.suspended === 1 ? { operations: openLabels(database, row), until: row.suspendedUntil } : null,
    input: texts?.input ?? null,
    output: texts?.output ?? null,
    error: texts?.error ?? null,
    failed: row.failedPosition === null ? null : failedEntry(database, row, row.failedPosition),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    endedAt: row.endedAt,
    unread: null,
    generation: row.generation,
    rewinds: row.rewinds,
    recoveryAttempts: row.recoveryAttempts,
    problem: row.problem,
    parks: row.parks,
  };
}

function openLabels({ all }: Database, { number }: ChangedRow): string[] {
  const sql = "select label from parley_journal where workflow = ? and seq is null order by position";
  return all<{ label: string }>(sql, number).map(({ label }) => label);
}

function failedEntry(
  { all }: Database,
  { number }: ChangedRow,
  position: number,
): WorkflowRecord["failed"] {
  const sql = "select label from parley_journal where workflow = ? and position = ?";
  const [entry] = all<{ label: string }>(sql, number, position);
  return entry ? { position, label: entry.label } : null;
}
