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
} from "../../../core/driver.ts";
import { ValidationError } from "../../../core/errors.ts";
import { checkName } from "../../../core/names.ts";
import { STATUSES } from "../../../core/statuses.ts";
import { type JournalPart, type RecordPart, toJournal, toRecord, valuesOf, type ValuesPart } from "../answer.ts";
import { Call } from "../call.ts";
import type { Client } from "../client.ts";
import { list } from "../extents.ts";
import { SEGMENT_SIZE } from "../keys.ts";
import { declareEnd, declareSchedule, ENDED } from "./parts.ts";
import { expire } from "./purge.ts";

const PAGE_BYTES = 1_048_576;

/** No page has more items: a request can only declare so many keys. */
const MOST_ITEMS = 1_024 * SEGMENT_SIZE;

/** About how many bytes of values an answer has, as they travel, before it is cut. */
const ANSWER_BYTES = 4_194_304;

/** `Driver.readWorkflow`. */
export async function readWorkflow(client: Client, workflowId: string): Promise<WorkflowRecord | null> {
  const { answer, rows } = await readRows(client, [workflowId], true);
  const [row] = rows;
  return row ? toRecord(answer, row) : null;
}

/** Rows of the first of these, as many as one answer holds. `read`: how many of the IDs were looked at. */
async function readRows(client: Client, ids: readonly string[], values: boolean) {
  const call = new Call(client.keys);
  for (const id of ids) call.workflow(id);
  const document = { workflows: call.workflows, values, budget: ANSWER_BYTES };
  const answer = await client.call<{ workflows: object; read: number }>("readWorkflows", () => call.arguments(document));
  return { answer, rows: list<RecordPart>(answer.meta.workflows), read: answer.meta.read };
}

/** `Driver.readJournal`. */
export async function readJournal(client: Client, request: { workflowId: string; after: number; limit: number }): Promise<JournalPage> {
  const { workflowId } = request;
  const after = Math.max(0, request.after);
  const limit = Math.min(request.limit, MOST_ITEMS);
  const call = new Call(client.keys);
  call.workflow(workflowId);
  const journal = call.items(after, limit, (segment) => client.keys.journal(workflowId, segment));
  const document = { after, limit, budget: PAGE_BYTES, workflows: call.workflows.map((part) => ({ ...part, journal })) };
  const answer = await client.call<{ journal?: JournalPart }>("readJournal", () => call.arguments(document));
  return answer.meta.journal ? toJournal(answer, answer.meta.journal) : { entries: [], more: false };
}

/** `Driver.readEvent`. */
export async function readEvent(client: Client, { workflowId, key }: { workflowId: string; key: string }): Promise<EventSnapshot> {
  const call = new Call(client.keys);
  call.workflow(workflowId);
  const document = { key, events: call.key(client.keys.events(workflowId, key)), workflows: call.workflows };
  const answer = await client.call<{ status?: WorkflowStatus; version?: number; value?: number }>(
    "readEvent",
    () => call.arguments(document),
  );
  const { status, version, value } = answer.meta;
  const event = version === undefined || value === undefined ? null : { version, value: answer.value(value) };
  return { event, status: status ?? null };
}

/** `Driver.readStream`. */
export async function readStream(
  client: Client,
  { workflowId, key, from, limit: wanted }: { workflowId: string; key: string; from: number; limit: number },
): Promise<StreamPage> {
  const { keys } = client;
  const limit = Math.min(wanted, MOST_ITEMS);
  const call = new Call(keys);
  call.workflow(workflowId);
  const stream = call.items(from, limit, (segment) => keys.stream(workflowId, key, segment));
  const workflows = call.workflows.map((part) => ({ ...part, streams: call.key(keys.streams(workflowId)) }));
  const document = { key, from, limit, budget: PAGE_BYTES, stream, workflows };
  const answer = await client.call<StreamMeta>("readStream", () => call.arguments(document));
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
export async function listWorkflows(client: Client, query: ListQuery): Promise<ListPage> {
  const { limit, problem, values } = query;
  const statuses = STATUSES.filter((status) => query.statuses?.includes(status) ?? true);
  const page: ListedWorkflow[] = [];
  // One more than the page has says whether there are more.
  const missing = () => limit + 1 - page.length;
  let after = query.cursor === null ? undefined : placeOf(query.cursor);
  let isCut = false;
  do {
    const indexes = problem ? ["parked" as const] : statuses;
    const { ids, last } = await readIndex(client, { indexes, name: query.name, limit: missing(), after });
    for (let from = 0; from < ids.length && !isCut;) {
      const { answer, rows, read } = await readRows(client, ids.slice(from), values);
      const found = rows.map((row) => toListed(toRecord(answer, row), values)).filter((row) => isAsked(row, query, statuses));
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
const MOST_ERROR_CHARACTERS = 4_096;

function toListed(row: WorkflowRecord, values: boolean): ListedWorkflow {
  if (values) return row;
  return { ...row, input: null, error: row.error !== null && row.error.length > MOST_ERROR_CHARACTERS ? null : row.error };
}

/** It may have changed since the index was read. */
function isAsked(row: ListedWorkflow, { name, problem }: ListQuery, statuses: readonly WorkflowStatus[]): boolean {
  return statuses.includes(row.status) && (name ?? row.name) === row.name && (!problem || row.problem !== null);
}

interface IndexQuery {
  readonly indexes: readonly (WorkflowStatus | "parked")[];
  readonly name: string | null;
  readonly limit: number;
  readonly after: string | undefined;
}

/** IDs in the order of a list. `last`: where to go on, if there may be more. */
async function readIndex(client: Client, query: IndexQuery): Promise<{ ids: readonly string[]; last: string | undefined }> {
  const { name, limit, after } = query;
  const call = new Call(client.keys);
  declareSchedule(call);
  const statuses = query.indexes.map((index) => call.key(name === null ? client.keys.index(index) : client.keys.named(index)));
  const document = { ...declareEnd(call, ENDED, client.retention), statuses, name: name ?? undefined, limit, after };
  const { meta } = await client.call<{ ids: object; last?: string; expiring: object }>("list", () => call.arguments(document));
  await expire(client, meta.expiring);
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
