/**
 * `parley list`: workflows, the newest first.
 *
 * @module
 */

import { wallClock } from "../../core/time/clock.ts";
import type { ListOptions, WorkflowInfo } from "../../core/client.ts";
import type { WorkflowStatus } from "../../core/driver/driver.ts";
import { STATUSES } from "../../core/driver/statuses.ts";
import type { Command, CommandCall } from "../command.ts";
import { CliError } from "../exit_codes.ts";
import { type Pages, readLimit, readPages } from "../pages.ts";
import { escapeText, shownAge, shownName, table } from "../text.ts";

export const list: Command = {
  name: "list",
  arguments: "",
  help: "List workflows, the newest first",
  options: [
    "status",
    "name",
    "id-prefix",
    "created-after",
    "created-before",
    "problem",
    "due",
    "values",
    "limit",
    "all",
    "cursor",
  ],
  async run(call) {
    const { items, next } = await findWorkflows(call);
    await call.printList(
      "workflows",
      items,
      next === undefined ? {} : { cursor: next },
      () => items.length === 0 ? "No workflows\n" : toTable(items, call.io.width),
    );
    if (next !== undefined) {
      await call.note(
        `There are more: ${call.options.flag("all") ? "a higher --limit" : "--all"}, or --cursor ${forShell(next)}`,
      );
    }
  },
};

/** Quotes a text for a shell. */
function forShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function findWorkflows(call: CommandCall): Promise<Pages<WorkflowInfo, string>> {
  const { options } = call;
  options.atMostOne("all", "cursor");
  const query = toQuery(call);
  const limits = readLimit(options);
  return await call.during(
    "Listing workflows",
    ({ client }, report) =>
      readPages({ ...limits, first: options.text("cursor"), report }, async (cursor, limit) => {
        const page = await client.list({
          ...query,
          ...(limit !== undefined && { limit }),
          ...(cursor !== undefined && { cursor }),
        });
        return { items: page.workflows, next: page.cursor };
      }),
  );
}

function toQuery({ options }: CommandCall): ListOptions {
  const statuses = options.texts("status").map(readStatus);
  const [name, idPrefix] = [options.text("name"), options.text("id-prefix")];
  const createdAfter = options.instant("created-after", { isPast: true });
  const createdBefore = options.instant("created-before", { isPast: true });
  return {
    ...(statuses.length > 0 && { status: statuses }),
    ...(name !== undefined && { name }),
    ...(idPrefix !== undefined && { idPrefix }),
    ...(createdAfter !== undefined && { createdAfter }),
    ...(createdBefore !== undefined && { createdBefore }),
    ...(options.flag("problem") && { problem: true }),
    ...(options.flag("due") && { due: true }),
    ...(options.flag("values") && { include: "values" }),
  };
}

function readStatus(text: string): WorkflowStatus {
  const status = STATUSES.find((it) => it === text.toUpperCase());
  if (status) return status;
  throw new CliError(`Reading the option --status: it must be one of ${STATUSES.join(", ")}`);
}

function toTable(workflows: readonly WorkflowInfo[], width: number | undefined): string {
  const now = wallClock.now();
  const rows = workflows.map((it) => [
    shownName(it.workflowId),
    shownName(it.name),
    it.status,
    shownAge(it.createdAt, now),
    shownAge(it.updatedAt, now),
    escapeText(noteOn(it)),
  ]);
  return table(["ID", "NAME", "STATUS", "CREATED", "CHANGED", "NOTE"], rows, width);
}

/** The one thing that explains best where a workflow stands. */
function noteOn({ problem, failed, error, waiting, unread = 0 }: WorkflowInfo): string {
  if (problem) return `problem: ${problem.message}`;
  if (failed) return `failed: ${failed.operation}`;
  if (error) return `failed: ${error.name}`;
  const unreadNote = unread > 0 ? [`${unread} unread`] : [];
  return [...(waiting ? [`waits: ${waiting.operations.join(", ")}`] : []), ...unreadNote].join("; ");
}
