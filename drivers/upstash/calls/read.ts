/**
 * Everything that only reads.
 *
 * @module
 */

import type {
  EventSnapshot,
  JournalPage,
  ListedWorkflow,
  ListPage,
  ListQuery,
  StreamPage,
  WorkflowRecord,
  WorkflowStatus,
} from "../../../core/driver/driver.ts";
import { ValidationError } from "../../../core/errors.ts";
import { checkName } from "../../../core/values/checks.ts";
import { STATUSES } from "../../../core/driver/statuses.ts";
import { type JournalPart, list, type RecordPart, toJournal, toRecord, valuesOf, type ValuesPart } from "../answer.ts";
import type { Index } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { ENDED, ScriptRequest } from "../script_request.ts";
import { expire } from "./purge.ts";

const PAGE_BYTES = 1_048_576;

/** No page has more items. */
const MAX_ITEMS = 65_536;

/** About how many bytes of values an answer has, as they travel, before it is cut. */
const ANSWER_BYTES = 4_194_304;

/** `Driver.readWorkflow`. */
export async function readWorkflow(calls: ScriptCalls, workflowId: string): Promise<WorkflowRecord | null> {
  const { answer, rows } = await readRows(calls, [workflowId], true);
  const [row] = rows;
  return row ? toRecord(answer, row) : null;
}

/** Rows of the first of these, as many as one answer holds. `read`: how many of the IDs were looked at. */
async function readRows(calls: ScriptCalls, ids: readonly string[], values: boolean) {
  const request = new ScriptRequest(calls.keys);
  for (const id of ids) request.workflow(id);
  const answer = await calls.call<{ workflows: object; read: number }>("readWorkflows", request, {
    values,
    budget: ANSWER_BYTES,
  });
  return { answer, rows: list<RecordPart>(answer.meta.workflows), read: answer.meta.read };
}

/** `Driver.readJournal`. */
export async function readJournal(
  calls: ScriptCalls,
  { workflowId, after, limit }: { workflowId: string; after: number; limit: number },
): Promise<JournalPage> {
  const request = new ScriptRequest(calls.keys);
  request.workflow(workflowId, "journal");
  const document = { after: Math.max(0, after), limit: Math.min(limit, MAX_ITEMS), budget: PAGE_BYTES };
  const answer = await calls.call<{ journal?: JournalPart }>("readJournal", request, document);
  return answer.meta.journal ? toJournal(answer, answer.meta.journal) : { entries: [], more: false };
}

/** `Driver.readEvent`. */
export async function readEvent(
  calls: ScriptCalls,
  { workflowId, key }: { workflowId: string; key: string },
): Promise<EventSnapshot> {
  const request = new ScriptRequest(calls.keys);
  request.workflow(workflowId, "events");
  const answer = await calls.call<{ status?: WorkflowStatus; version?: number; value?: number }>("readEvent", request, {
    key,
  });
  const { status, version, value } = answer.meta;
  const event = version === undefined || value === undefined ? null : { version, value: answer.value(value) };
  return { event, status: status ?? null };
}

/** `Driver.readStream`. */
export async function readStream(
  calls: ScriptCalls,
  { workflowId, key, from, limit }: { workflowId: string; key: string; from: number; limit: number },
): Promise<StreamPage> {
  const request = new ScriptRequest(calls.keys);
  request.workflow(workflowId, "streams");
  const document = { key, from, limit: Math.min(limit, MAX_ITEMS), budget: PAGE_BYTES };
  const answer = await calls.call<StreamMeta>("readStream", request, document);
  const { status, tail, closed, values } = answer.meta;
  return { values: valuesOf(answer, values), tail, closed, status: status ?? null };
}

interface StreamMeta {
  readonly status?: WorkflowStatus;
  readonly tail: number;
  readonly closed: boolean;
  readonly values: ValuesPart;
}

/**
 * `Driver.listWorkflows`: the index says which are next, and the rows are read then. What has gone meanwhile is made up for. A page with values ends where
 * one answer does.
 */
export async function listWorkflows(calls: ScriptCalls, query: ListQuery): Promise<ListPage> {
  const { limit, problem, values } = query;
  const statuses = STATUSES.filter((status) => query.statuses?.includes(status) ?? true);
  const page: ListedWorkflow[] = [];
  // One more than the page has says whether there are more.
  const missing = () => limit + 1 - page.length;
  let after = query.cursor === null ? undefined : placeOf(query.cursor);
  let isCut = false;
  do {
    const indexes = problem ? ["parked" as const] : statuses;
    const { ids, last } = await readIndex(calls, { indexes, name: query.name, limit: missing(), after });
    for (let from = 0; from < ids.length && !isCut;) {
      const { answer, rows, read } = await readRows(calls, ids.slice(from), values);
      const found = rows.map((row) => toListed(toRecord(answer, row), values)).filter((row) =>
        isAsked(row, query, statuses)
      );
      page.push(...found);
      from += read;
      isCut = values && from < ids.length && page.length > 0;
    }
    after = last;
  } while (!isCut && after !== undefined && missing() > 0);
  const workflows = page.slice(0, limit);
  const end = workflows.at(-1);
  const isMore = isCut || page.length > limit;
  return { workflows, cursor: end && isMore ? JSON.stringify([end.createdAt, end.workflowId]) : null };
}

/** Longer errors are left out of a list without values. */
const MAX_ERROR_CHARACTERS = 4_096;

function toListed(row: WorkflowRecord, values: boolean): ListedWorkflow {
  if (values) return row;
  return {
    ...row,
    input: null,
    error: row.error !== null && row.error.length > MAX_ERROR_CHARACTERS ? null : row.error,
  };
}

/** It may have changed since the index was read. */
function isAsked(row: ListedWorkflow, { name, problem }: ListQuery, statuses: readonly WorkflowStatus[]): boolean {
  return statuses.includes(row.status) && (name ?? row.name) === row.name && (!problem || row.problem !== null);
}

interface IndexQuery {
  readonly indexes: readonly Index[];
  readonly name: string | null;
  readonly limit: number;
  readonly after: string | undefined;
}

/** IDs in the order of a list. `last`: where to go on, if there may be more. */
async function readIndex(
  calls: ScriptCalls,
  query: IndexQuery,
): Promise<{ ids: readonly string[]; last: string | undefined }> {
  const { name, limit, after } = query;
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  request.shareIndexes(...query.indexes, ...ENDED);
  request.shareEnded(calls.retention);
  const indexes = query.indexes.map((index) => `${name === null ? "index" : "named"}/${index}`);
  const document = { indexes, name: name ?? undefined, limit, after, retention: calls.retention };
  const { meta } = await calls.call<{ ids: object; last?: string; expiring: object }>("list", request, document);
  await expire(calls, meta.expiring);
  return { ids: list<string>(meta.ids), last: meta.last };
}

/** Twice as far as instants go: what is newer has less left. As in `lua/rows.ts`. */
const LATEST = 99_999_999_999_999;

/** The place of a cursor in an index. */
function placeOf(cursor: string): string {
  const [createdAt, workflowId] = parseCursor(cursor);
  return `${String(LATEST - createdAt).padStart(14, "0")}${workflowId}`;
}

function parseCursor(cursor: string): [number, string] {
  try {
    const [createdAt, workflowId] = JSON.parse(cursor);
    // What no store can hold would be a fault of the store.
    checkName(workflowId, "workflow ID");
    if (Number.isSafeInteger(createdAt) && createdAt >= 0 && createdAt <= LATEST) return [createdAt, workflowId];
  } catch {
    // Not JSON, or no ID: the same error as below.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}
