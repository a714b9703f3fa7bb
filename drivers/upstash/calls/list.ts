/**
 * `Driver.listWorkflows`.
 *
 * @module
 */

import type { ListedWorkflow, ListPage, ListQuery, WorkflowStatus } from "../../../core/driver/driver.ts";
import { STATUSES } from "../../../core/driver/statuses.ts";
import { ValidationError } from "../../../core/errors.ts";
import { checkName } from "../../../core/values/checks.ts";
import type { ScriptCalls } from "../script_calls.ts";

/**
 * `Driver.listWorkflows`. A first request asks the indexes which workflows are next, and others
 * read their rows. If some have gone in between, it asks again. A page with values ends where
 * the answer of one request does.
 */
export async function listWorkflows(calls: ScriptCalls, query: ListQuery): Promise<ListPage> {
  const { limit, problem, values, name } = query;
  const statuses = STATUSES.filter((status) => query.statuses?.includes(status) ?? true);
  const indexes = (problem ? ["parked"] : statuses).map((index) => `${name === null ? "index" : "named"}/${index}`);
  const page: ListedWorkflow[] = [];
  // One more than the page has says whether there are more.
  const missing = () => limit + 1 - page.length;
  let after = query.cursor === null ? undefined : placeOf(query.cursor);
  let isCut = false;
  do {
    const { ids, last } = await calls.call<IndexPage>("list", calls.keys.shared, {
      ...{ indexes, name, limit: missing(), after },
    });
    for (let from = 0; from < ids.length && !isCut;) {
      const { workflows, read } = await readRows<ListedWorkflow>(calls, ids.slice(from), values);
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

/** IDs in the order of a list. */
interface IndexPage {
  readonly ids: readonly string[];
  /** The place to continue from, if there may be more. */
  readonly last?: string;
}

/**
 * Reads the rows of the first of these workflows, as many as one answer holds. `read`: how many of
 * the IDs were looked at.
 */
export async function readRows<Row extends ListedWorkflow>(
  { call, keys }: ScriptCalls,
  workflowIds: readonly string[],
  values: boolean,
): Promise<{ workflows: Row[]; read: number }> {
  return await call("readWorkflows", workflowIds.flatMap((id) => keys.of(id)), { workflowIds, values });
}

/** Longer errors are left out of a list without values. */
const MAX_ERROR_CHARACTERS = 4_096;

function toListed(row: ListedWorkflow, values: boolean): ListedWorkflow {
  const isLong = row.error !== null && row.error.length > MAX_ERROR_CHARACTERS;
  return isLong && !values ? { ...row, error: null } : row;
}

/** Whether a row is still what the query asks for. It may have changed since the index was read. */
function isAsked(row: ListedWorkflow, { name, problem }: ListQuery, statuses: readonly WorkflowStatus[]): boolean {
  return statuses.includes(row.status) && (name ?? row.name) === row.name && (!problem || row.problem !== null);
}

/**
 * As in `lua/prelude.ts`. A place begins with how far its workflow was created before this, so
 * newer workflows come first.
 */
const LATEST = 99_999_999_999_999;

/** The place of a cursor in an index. */
function placeOf(cursor: string): string {
  const [createdAt, workflowId] = parseCursor(cursor);
  return `${String(LATEST - createdAt).padStart(14, "0")}${workflowId}`;
}

function parseCursor(cursor: string): [number, string] {
  try {
    const [createdAt, workflowId] = JSON.parse(cursor);
    // Otherwise the store would reject the name as a fault of its own.
    checkName(workflowId, "workflow ID");
    if (Number.isSafeInteger(createdAt) && createdAt >= 0 && createdAt <= LATEST) return [createdAt, workflowId];
  } catch {
    // Not JSON, or no ID: the same error as below.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}
