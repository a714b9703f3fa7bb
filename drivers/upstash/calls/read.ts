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
import { type StoredPage, toJournal } from "../answer.ts";
import type { Index } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { expire } from "./purge.ts";

/** The most items of a page. */
const MAX_ITEMS = 65_536;

/** About how many bytes of values an answer has, as they travel, before it is cut. */
const ANSWER_BYTES = 4_194_304;

/** `Driver.readWorkflow`. */
export async function readWorkflow(calls: ScriptCalls, workflowId: string): Promise<WorkflowRecord | null> {
  const { workflows: [row] } = await readRows<WorkflowRecord>(calls, [workflowId], true);
  return row ?? null;
}

/** Rows of the first of these workflows, as many as one answer holds. `read`: how many of the IDs were looked at. */
async function readRows<Row extends ListedWorkflow>(
  calls: ScriptCalls,
  workflowIds: readonly string[],
  values: boolean,
): Promise<{ workflows: Row[]; read: number }> {
  const keys = workflowIds.flatMap((id) => calls.keys.of(id));
  return await calls.call("readWorkflows", keys, { workflowIds, values, budget: ANSWER_BYTES });
}

/** `Driver.readJournal`. */
export async function readJournal(
  calls: ScriptCalls,
  { workflowId, after, limit }: { workflowId: string; after: number; limit: number },
): Promise<JournalPage> {
  const document = { workflowId, after: Math.max(0, after), limit: Math.min(limit, MAX_ITEMS) };
  return toJournal(await calls.call<StoredPage>("readJournal", calls.keys.of(workflowId, "journal"), document));
}

/** `Driver.readEvent`. */
export async function readEvent(
  calls: ScriptCalls,
  request: { workflowId: string; key: string },
): Promise<EventSnapshot> {
  return await calls.call("readEvent", calls.keys.of(request.workflowId, "events"), request);
}

/** `Driver.readStream`. */
export async function readStream(
  calls: ScriptCalls,
  request: { workflowId: string; key: string; from: number; limit: number },
): Promise<StreamPage> {
  const document = { ...request, limit: Math.min(request.limit, MAX_ITEMS) };
  return await calls.call("readStream", calls.keys.of(request.workflowId, "streams"), document);
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
      const { workflows, read } = await readRows(calls, ids.slice(from), values);
      page.push(...workflows.map((row) => toListed(row, values)).filter((row) => isAsked(row, query, statuses)));
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

function toListed(row: ListedWorkflow, values: boolean): ListedWorkflow {
  const isLong = row.error !== null && row.error.length > MAX_ERROR_CHARACTERS;
  return isLong && !values ? { ...row, error: null } : row;
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
  { indexes, name, limit, after }: IndexQuery,
): Promise<{ ids: readonly string[]; last?: string }> {
  const kinds = indexes.map((index) => `${name === null ? "index" : "named"}/${index}`);
  const document = { indexes: kinds, name, limit, after };
  const { expiring, ...found } = await calls.call<{ ids: string[]; last?: string; expiring: string[] }>(
    "list",
    calls.keys.shared,
    document,
  );
  await expire(calls, expiring);
  return found;
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
