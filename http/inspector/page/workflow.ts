/// <reference lib="dom" />
/**
 * What the list and the page of a workflow share: its status in words and colour, and its link.
 *
 * @module
 */

import type { WorkflowInfo } from "../../../core/client.ts";
import { element } from "./dom.ts";

/** Whether a workflow may still run. */
export function isActive(status: WorkflowInfo["status"]): boolean {
  return status === "PENDING" || status === "ENQUEUED";
}

/** The status, and whether the workflow is parked. */
export function statusBadge({ status, problem }: Pick<WorkflowInfo, "status" | "problem">): HTMLElement {
  const kind = status === "SUCCESS" ? "good" : isActive(status) ? "open" : status === "CANCELLED" ? "quiet" : "bad";
  return element(
    "span",
    {},
    element("span", { class: `badge ${kind}` }, status),
    problem && element("span", { class: "badge bad", title: problem.name }, "parked"),
  );
}

/** The link to a workflow's page. */
export function workflowLink(workflowId: string): HTMLAnchorElement {
  return element("a", { href: hashOf(workflowId) }, workflowId);
}

/** The address of a workflow's page. */
export function hashOf(workflowId: string): string {
  return `#/workflows/${encodeURIComponent(workflowId)}`;
}
