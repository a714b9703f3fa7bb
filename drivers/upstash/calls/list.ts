/**
 * `Driver.listWorkflows`. A first request asks the indexes which workflows are next, and others
 * read their rows. If some have gone in between, it asks again. A page with values ends where
 * the answer of one request does.
 *
 * @module
 */

import type { ListedWorkflow, ListPage, ListQuery, WorkflowStatus } from "../../../core/driver/driver.ts";
import { STATUSES } from "../../../core/driver/statuses.ts";
import { MAX_CREATED_AT, parseListCursor } from "../../../core/values/list_cursor.ts";
import { MAX_LISTED_ERROR_LENGTH } from "../../page_size.ts";
import type { ScriptCalls } from "../script_calls.ts";

export async function listWorkflows({ call, keys }: ScriptCalls, query: ListQuery): Promise<ListPage> {
  const { limit, problem, values, name } = query;
  const statuses = STATUSES.filter((status) => query.statuses?.includes(status) ?? true);
  const indexes = (problem ? ["parked"] : statuses).map((index) => `index/${index}`);
  const page: ListedWorkflow[] = [];
  // One more than the page has says whether there are more.
  const missing = () => limit + 1 - page.length;
  // Places begin with the newest workflows. All that were created at an instant have one start.
  const places = [placeOf(parseListCursor(query.cursor)), query.createdBefore && startOf(query.createdBefore - 1)];
  let after = places.filter((place) => place !== undefined).sort().at(-1);
  let [isCut, isAnyGone] = [false, false];
  do {
    const filters = { ...query.idPrefix && { idPrefix: query.idPrefix }, ...query.due && { due: true } };
    const document = { indexes, name, limit: missing(), after, trims: false, ...filters };
    const { ids, last } = await call<{ ids: string[]; last?: string }>("list", [], document);
    for (let from = 0; from < ids.length && !isCut;) {
      const workflowIds = ids.slice(from);
      const own = workflowIds.flatMap((id) => keys.of(id));
      // One answer may hold only the first `read` of them.
      const { workflows, read } = await call<RowPage>("readWorkflows", own, { workflowIds, values });
      for (const row of workflows.filter((row) => isAsked(row, query, statuses))) {
        const isLong = !values && row.error !== null && row.error.length > MAX_LISTED_ERROR_LENGTH;
        page.push(isLong ? { ...row, error: null } : row);
      }
      isAnyGone ||= workflows.length < read;
      from += read;
      isCut = values && from < ids.length && page.length > 0;
    }
    // Older workflows than the query asks for follow.
    const isPast = last !== undefined && query.createdAfter !== undefined && last >= startOf(query.createdAfter);
    after = isPast ? undefined : last;
  } while (!isCut && after !== undefined && missing() > 0);
  // Workflows whose keys have expired leave the indexes.
  if (isAnyGone) await call("list", [], { indexes: [], limit: 0, trims: true });
  const workflows = page.slice(0, limit);
  const end = workflows.at(-1);
  const isMore = isCut || page.length > limit;
  return { workflows, cursor: end && isMore ? JSON.stringify([end.createdAt, end.workflowId]) : null };
}

/** The rows that exist of the first `read` workflows of a request. */
interface RowPage {
  readonly workflows: readonly ListedWorkflow[];
  readonly read: number;
}

/** Whether a row is still what the query asks for. It may have changed since the index was read. */
function isAsked(row: ListedWorkflow, query: ListQuery, statuses: readonly WorkflowStatus[]): boolean {
  const { name, problem, createdAfter = -Infinity, createdBefore = Infinity } = query;
  if (row.createdAt <= createdAfter || row.createdAt >= createdBefore) return false;
  return statuses.includes(row.status) && (name ?? row.name) === row.name && (!problem || row.problem !== null);
}

/**
 * The place of a row in an index. It begins with how long before the last instant the workflow was
 * created, so newer workflows come first.
 */
function placeOf(row: [createdAt: number, workflowId: string] | null): string | undefined {
  return row ? `${startOf(row[0])}${row[1]}` : undefined;
}

/** The start of all places of workflows that were created at an instant. */
function startOf(createdAt: number): string {
  return String(MAX_CREATED_AT - Math.max(0, Math.min(createdAt, MAX_CREATED_AT))).padStart(14, "0");
}
