/**
 * Lists workflows.
 *
 * @module
 */

import type { ListOptions, WorkflowPage } from "../client.ts";
import { STATUSES } from "../driver/statuses.ts";
import { quote, ValidationError } from "../errors.ts";
import { checkName, checkWholeNumber, toInstant } from "../values/checks.ts";
import { toInfo } from "./handle.ts";
import type { ReadHost } from "./host.ts";

/** See `Client.list`. */
export async function listWorkflows({ driver, values }: ReadHost, query: ListOptions): Promise<WorkflowPage> {
  const { status, name = null, problem = false, due = false, include, limit = 50, cursor = null } = query;
  const { idPrefix = "", createdAfter, createdBefore } = query;
  checkWholeNumber(limit, "limit of the list", 1, 1_000);
  if (name !== null) checkName(name, "workflow name");
  if (idPrefix !== "") checkName(idPrefix, "prefix of the workflow IDs");
  const statuses = status === undefined ? null : [status].flat();
  for (const it of statuses ?? []) checkStatus(it);
  if (include !== undefined && include !== "values") {
    throw new ValidationError(`Listing workflows: include is ${quote(String(include))}, and must be "values"`);
  }
  const page = await driver.listWorkflows({
    statuses,
    name,
    problem,
    due,
    idPrefix,
    ...(createdAfter !== undefined && { createdAfter: toInstant(createdAfter, "createdAfter") }),
    ...(createdBefore !== undefined && { createdBefore: toInstant(createdBefore, "createdBefore") }),
    values: include === "values",
    limit,
    cursor,
  });
  const workflows = page.workflows.map((record) => toInfo(record, values));
  return { workflows, ...(page.cursor !== null && { cursor: page.cursor }) };
}

function checkStatus(status: string): void {
  if (!STATUSES.some((it) => it === status)) {
    throw new ValidationError(`Listing workflows of status ${quote(status)}: it must be one of ${STATUSES.join(", ")}`);
  }
}
