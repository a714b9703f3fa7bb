/**
 * `parley show`: where a workflow stands, and why it does not move.
 *
 * @module
 */

import type { Client, WorkflowInfo } from "../../core/client.ts";
import type { Duration } from "../../core/values/checks.ts";
import { WorkflowCancelledError, WorkflowFailedError } from "../../core/errors.ts";
import type { HistoryEntry } from "../../core/inspection.ts";
import type { SerializedError } from "../../core/values/serialized_error.ts";
import type { Command } from "../command.ts";
import { isDenied } from "../exit_codes.ts";
import { operationOf } from "../operations.ts";
import { cut, escapeText, quoted, shownAge, shownInstant, shownName, shownValue } from "../text.ts";

/** What `show` knows of a workflow beside its status. Parts that the token may not see are absent. */
interface Details {
  /** Whether a sweep would take it now. */
  due?: boolean;
  /** Its operations without an outcome. */
  open?: HistoryEntry[];
  /** The topics of its unread messages, of the first 1,000. */
  unreadTopics?: { topic: string; count: number }[];
}

export const show: Command = {
  name: "show",
  arguments: "ID",
  help: "Show where a workflow stands: its status, problem, failure, waits and unread messages",
  options: ["wait", "timeout"],
  async run(call) {
    const { workflowId, options, io: { signal } } = call;
    const timeout = options.duration("timeout");
    const [info, details] = await call.during(`Reading ${quoted(workflowId)}`, async ({ client }) => {
      if (options.flag("wait")) {
        await untilEnded(client, workflowId, { signal, ...(timeout !== undefined && { timeout }) });
      }
      const info = await client.status(workflowId);
      return [info, await readDetails(client, info)];
    });
    await call.print({ ...info, ...details }, () => describe(info, details));
  },
};

/** Waits until a workflow has ended, in whatever way. */
async function untilEnded(
  client: Client,
  workflowId: string,
  options: { timeout?: Duration; signal: AbortSignal },
): Promise<void> {
  await client.result(workflowId, options).catch((error) => {
    if (!(error instanceof WorkflowFailedError || error instanceof WorkflowCancelledError)) throw error;
  });
}

async function readDetails(client: Client, info: WorkflowInfo): Promise<Details> {
  if (info.endedAt !== undefined) return await readTopics(client, info);
  const [due, open, topics] = await Promise.all([
    readDue(client, info),
    readOpen(client, info),
    readTopics(client, info),
  ]);
  return { ...due, ...open, ...topics };
}

async function readDue(client: Client, { workflowId, createdAt }: WorkflowInfo): Promise<Details> {
  return await permitted(async () => {
    // The instants leave out other IDs that begin with this one.
    const times = { createdAfter: createdAt - 1, createdBefore: createdAt + 1 };
    const { workflows } = await client.list({ due: true, idPrefix: workflowId, limit: 1_000, ...times });
    return { due: workflows.some((it) => it.workflowId === workflowId) };
  });
}

/** The longest history to look through for open operations, in pages. */
const MAX_PAGES = 20;

async function readOpen(client: Client, { workflowId }: WorkflowInfo): Promise<Details> {
  return await permitted(async () => {
    const open: HistoryEntry[] = [];
    let after: number | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await client.history(workflowId, { limit: 1_000, ...(after !== undefined && { after }) });
      open.push(...page.entries.filter(({ state }) => state === "waiting"));
      after = page.next;
      if (after === undefined) break;
    }
    return { open };
  });
}

async function readTopics(client: Client, { workflowId, unread }: WorkflowInfo): Promise<Details> {
  if (unread === 0) return { unreadTopics: [] };
  return await permitted(async () => {
    const { messages } = await client.messages(workflowId, { limit: 1_000 });
    const counts = new Map<string, number>();
    for (const { topic } of messages) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    return { unreadTopics: [...counts].map(([topic, count]) => ({ topic, count })) };
  });
}

/** Reads a part, and leaves it out if the token does not allow it. */
async function permitted(read: () => Promise<Details>): Promise<Details> {
  try {
    return await read();
  } catch (error) {
    if (isDenied(error)) return {};
    throw error;
  }
}

function describe(info: WorkflowInfo, details: Details): string {
  const lines: [name: string, text: string][] = [
    ["name", shownName(info.name)],
    ["status", info.status],
    ["created", toTime(info.createdAt)],
    ["changed", toTime(info.updatedAt)],
    ...(info.endedAt === undefined ? [] : [["ended", toTime(info.endedAt)] satisfies [string, string]]),
    ...describeTrouble(info),
    ...describeWaits(info, details),
    ...describeUnread(info, details),
    ...describeDue(details),
    ...describeCounts(info),
    ...describeValues(info),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return `${shownName(info.workflowId)}\n${lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join("")}`;
}

type Lines = [name: string, text: string][];

function describeTrouble({ failed, error, problem }: WorkflowInfo): Lines {
  return [
    ...(failed
      ? [["failed", `${escapeText(failed.operation)} at position ${failed.position}`] satisfies [string, string]]
      : []),
    ...(error ? toLines("error", error) : []),
    ...(problem ? toLines("problem", problem) : []),
  ];
}

/** The most causes of an error that are shown, because an error may be its own cause. */
const MAX_CAUSES = 5;
/** The most columns of a message or a value. `--json` has all of it. */
const MAX_WIDTH = 1_000;

function toLines(name: string, error: SerializedError): Lines {
  const lines: Lines = [];
  let it: unknown = error;
  for (let depth = 0; depth <= MAX_CAUSES && typeof it === "object" && it !== null && "message" in it; depth++) {
    const words = ["name" in it ? it.name : "", it.message].filter((word) => typeof word === "string" && word !== "");
    const text = `${depth === 0 ? "" : "caused by "}${words.join(": ")}`;
    lines.push([depth === 0 ? name : "", cut(escapeText(text), MAX_WIDTH)]);
    it = "cause" in it ? it.cause : undefined;
  }
  return lines;
}

function describeWaits({ waiting, endedAt }: WorkflowInfo, { open }: Details): Lines {
  if (endedAt !== undefined) return [];
  if (!open) {
    const until = waiting?.until === undefined ? "" : `, until ${toTime(waiting.until)}`;
    return waiting ? [["waits", escapeText(waiting.operations.join(", ")) + until]] : [];
  }
  return open.map((entry, index) => {
    const tries = entry.attempts ? `, tried ${entry.attempts} times` : "";
    const until = entry.deadline === undefined ? "" : `, until ${toTime(entry.deadline)}`;
    const text = `${escapeText(operationOf(entry))} at position ${entry.position}, since ${toTime(entry.startedAt)}`;
    return [index === 0 ? "waits" : "", text + until + tries];
  });
}

function describeUnread({ unread }: WorkflowInfo, { unreadTopics = [] }: Details): Lines {
  if (!unread) return [];
  const topics = unreadTopics.map(({ topic, count }) =>
    `${count} ${topic === "" ? "without a topic" : `of topic ${quoted(topic)}`}`
  );
  return [[
    "unread",
    `${unread} ${unread === 1 ? "message" : "messages"}${topics.length > 0 ? `: ${topics.join(", ")}` : ""}`,
  ]];
}

function describeDue({ due }: Details): Lines {
  return due ? [["due", "now; if it stays so, nothing sweeps, or nothing that knows its name"]] : [];
}

function describeCounts({ generation, recoveryAttempts }: WorkflowInfo): Lines {
  return [
    ...(generation > 0 ? [["generation", `${generation}`] satisfies [string, string]] : []),
    ...(recoveryAttempts > 0
      ? [["take-overs", `${recoveryAttempts} without progress`] satisfies [string, string]]
      : []),
  ];
}

function describeValues(info: WorkflowInfo): Lines {
  return (["input", "output"] as const).flatMap((name) => {
    const unreadable = info.unreadable?.includes(name) ? { unreadable: true as const } : {};
    const text = cut(shownValue({ value: info[name], ...unreadable }), MAX_WIDTH);
    return text === "" ? [] : [[name, text] satisfies [string, string]];
  });
}

function toTime(ms: number): string {
  return `${shownInstant(ms)} (${shownAge(ms)})`;
}
