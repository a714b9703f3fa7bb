/// <reference lib="dom" />
/**
 * The list of workflows, with its filters.
 *
 * @module
 */

import type { WorkflowInfo, WorkflowPage } from "../../../core/client.ts";
import { readAllowed } from "./allowed.ts";
import { button, cell, element, fill, section, table } from "./dom.ts";
import { read } from "./store.ts";
import { instant } from "./text.ts";
import { hashOf, statusBadge, workflowLink } from "./workflow.ts";

const STATUSES = ["ENQUEUED", "PENDING", "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"];

const COLUMNS = ["Workflow", "Name", "Status", "Created", "Changed", "Waits for"];

const PAGE = 50;

/** Shows the list, unless the signal is aborted meanwhile. The filters are in the address, so that a link has them. */
export async function showList(main: HTMLElement, filters: URLSearchParams, signal: AbortSignal): Promise<void> {
  const allowed = await readAllowed();
  if (signal.aborted) return;
  fill(main, element("h1", {}, "Workflows"), openForm());
  if (!allowed.has("list")) {
    main.append(element("p.note", {}, "The token does not allow to list workflows. Open one by its ID."));
    return;
  }
  const rows = element("tbody");
  const more = button("Load more", () => void load(), { hidden: true });
  const count = element("p", { role: "status" });
  const list = table("Workflows, newest first", COLUMNS, []);
  list.querySelector("tbody")!.replaceWith(rows);
  main.append(filterForm(filters), section("Found", count, list, more));

  let cursor: string | undefined;
  let shown = 0;
  const load = async () => {
    more.disabled = true;
    try {
      const page = await read<WorkflowPage>("/workflows", { ...toQuery(filters), limit: PAGE, cursor });
      rows.append(...page.workflows.map(toRow));
      cursor = page.cursor;
      shown += page.workflows.length;
      count.textContent = shown === 0
        ? "No workflow matches."
        : `${shown} shown${cursor ? ", and there are more" : ""}.`;
      more.hidden = cursor === undefined;
    } catch (error) {
      count.textContent = (error as Error).message;
    } finally {
      more.disabled = false;
    }
  };
  await load();
}

function toRow(info: WorkflowInfo): HTMLTableRowElement {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, workflowLink(info.workflowId)),
    cell("Name", info.name),
    cell("Status", statusBadge(info)),
    cell("Created", instant(info.createdAt)),
    cell("Changed", instant(info.updatedAt)),
    cell("Waits for", info.waiting?.operations.join(", ")),
  );
}

/** The filters as parameters of the list. */
function toQuery(filters: URLSearchParams): object {
  const { createdAfter, createdBefore, ...rest } = Object.fromEntries(filters);
  const toMs = (text: string | undefined) => text ? new Date(text).getTime() : undefined;
  return { ...rest, createdAfter: toMs(createdAfter), createdBefore: toMs(createdBefore) };
}

/** Opens a workflow by its ID. */
function openForm(): HTMLFormElement {
  const input = element("input", { name: "workflowId", maxlength: 255, required: true, autocomplete: "off" });
  const onSubmit = (event: Event) => {
    event.preventDefault();
    location.hash = hashOf(input.value);
  };
  return element(
    "form.filters",
    { onsubmit: onSubmit, "aria-label": "Open a workflow" },
    element("label", {}, "Workflow ID", input),
    element("button", {}, "Open"),
  );
}

function filterForm(filters: URLSearchParams): HTMLFormElement {
  const field = (label: string, name: string, attributes: object = {}) =>
    element(
      "label",
      {},
      label,
      element("input", { name, autocomplete: "off", ".value": filters.get(name) ?? "", ...attributes }),
    );
  const check = (label: string, name: string) =>
    element(
      "label.check",
      {},
      element("input", { type: "checkbox", name, value: "true", ".checked": filters.get(name) === "true" }),
      label,
    );
  const status = element(
    "select",
    { name: "status" },
    element("option", { value: "" }, "Any"),
    STATUSES.map((it) => element("option", { value: it }, it)),
  );
  status.value = filters.get("status") ?? "";
  const form = element(
    "form.filters",
    { role: "search", "aria-label": "Filters" },
    field("ID starts with", "idPrefix", { maxlength: 255, type: "search" }),
    field("Name", "name", { maxlength: 255 }),
    element("label", {}, "Status", status),
    field("Created after", "createdAfter", { type: "datetime-local" }),
    field("Created before", "createdBefore", { type: "datetime-local" }),
    check("Has a problem", "problem"),
    check("Due now", "due"),
    element("button", {}, "Filter"),
    button("Clear", () => go("#/")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value !== "") as [string, string][];
    go(given.length === 0 ? "#/" : `#/?${new URLSearchParams(given)}`);
  });
  return form;
}

/** Goes to an address, and shows it again if it is there already. */
function go(hash: string): void {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}
