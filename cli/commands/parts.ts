/**
 * What a workflow has: `parley history`, `messages` and `events`.
 *
 * @module
 */

import type { HistoryEntry, MessageInfo } from "../../core/inspection.ts";
import type { Command, CommandCall } from "../command.ts";
import { CliError } from "../exit_codes.ts";
import { operationOf } from "../operations.ts";
import { type Pages, readLimit, readPages } from "../pages.ts";
import { escapeText, quoted, shownAge, shownDuration, shownInstant, shownName, shownValue, table } from "../text.ts";

export const history: Command = {
  name: "history",
  arguments: "ID",
  help: "List what a workflow has done, with times, tries and outcomes",
  options: ["limit", "after", "all"],
  async run(call) {
    const { workflowId, io: { width } } = call;
    const { items, next } = await readParts(call, async (client, page) => {
      const { entries: items, next } = await client.history(workflowId, page);
      return { items, next };
    });
    await call.printList(
      "entries",
      items,
      next === undefined ? {} : { next },
      () =>
        items.length === 0 ? "No operations\n" : table(
          ["POSITION", "OPERATION", "STATE", "BEGAN", "TOOK", "TRIES", "OUTCOME"],
          items.map((entry) => [
            `${entry.position}`,
            escapeText(operationOf(entry)),
            entry.state,
            shownInstant(entry.startedAt),
            entry.endedAt === undefined ? "" : shownDuration(entry.endedAt - entry.startedAt),
            entry.attempts === undefined ? "" : `${entry.attempts}`,
            outcomeOf(entry),
          ]),
          width,
        ),
    );
    await noteMore(call, next);
  },
};

function outcomeOf(entry: HistoryEntry): string {
  const { error, deadline, state } = entry;
  if (error) return escapeText(`${error.name}: ${error.message}`);
  if (state === "waiting" && deadline !== undefined) return `until ${shownInstant(deadline)}`;
  return shownValue(entry);
}

export const messages: Command = {
  name: "messages",
  arguments: "ID",
  help: "List messages of a workflow: by default those that it has not received",
  options: ["state", "topic", "limit", "after", "all"],
  async run(call) {
    const { workflowId, options, io: { width } } = call;
    const topic = options.text("topic");
    const query = { state: readState(options.text("state")), ...(topic !== undefined && { topic }) };
    const { items, next } = await readParts(call, async (client, page) => {
      const { messages: items, next } = await client.messages(workflowId, { ...query, ...page });
      return { items, next };
    });
    await call.printList(
      "messages",
      items,
      next === undefined ? {} : { next },
      () =>
        items.length === 0 ? `No ${query.state === "all" ? "" : `${query.state} `}messages\n` : table(
          ["TOPIC", "SENT", "RECEIVED", "POSITION", "KEY", "MESSAGE"],
          items.map((it) => [
            it.topic === "" ? "(none)" : quoted(it.topic),
            shownInstant(it.sentAt),
            it.receivedAt === undefined ? "" : shownInstant(it.receivedAt),
            it.position === undefined ? "" : `${it.position}`,
            shownKey(it.idempotencyKey),
            shownValue(it),
          ]),
          width,
        ),
    );
    await noteMore(call, next);
  },
};

/** A client over HTTP makes up a key for each message without one, which says nothing. */
function shownKey(key = ""): string {
  return key === "" || key.startsWith("connect:") ? "" : shownName(key);
}

function readState(state = "unread"): "unread" | "received" | "all" {
  if (state === "unread" || state === "received" || state === "all") return state;
  throw new CliError("Reading the option --state: it must be unread, received or all");
}

export const events: Command = {
  name: "events",
  arguments: "ID",
  help: "List the events of a workflow, with their latest values",
  options: [],
  async run(call) {
    const { workflowId } = call;
    const events = await call.during("Reading events", ({ client }) => client.events(workflowId));
    await call.printList("events", events, {}, () =>
      events.length === 0 ? "No events\n" : table(
        ["EVENT", "VERSION", "SET", "VALUE"],
        events.map((it) => [quoted(it.key), `${it.version}`, shownAge(it.updatedAt), shownValue(it)]),
        call.io.width,
      ));
  },
};

type Part = HistoryEntry | MessageInfo;
type Client = Awaited<ReturnType<CommandCall["target"]>>["client"];

/** Reads the page that the options ask for, or all pages. */
async function readParts<Item extends Part>(
  call: CommandCall,
  read: (
    client: Client,
    page: { after?: number; limit?: number },
  ) => Promise<{ items: Item[]; next: number | undefined }>,
): Promise<Pages<Item, number>> {
  const { options } = call;
  const limits = readLimit(options);
  const first = options.count("after", 0);
  return await call.during(
    "Reading",
    ({ client }, report) =>
      readPages(
        { ...limits, first, report },
        (after: number | undefined, limit) =>
          read(client, { ...(limit !== undefined && { limit }), ...(after !== undefined && { after }) }),
      ),
  );
}

async function noteMore(call: CommandCall, next: number | undefined): Promise<void> {
  if (next !== undefined) {
    await call.note(`There are more: ${call.options.flag("all") ? "a higher --limit" : "--all"}, or --after ${next}`);
  }
}
