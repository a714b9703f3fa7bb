/**
 * Reads what a workflow has in the store, for people who look into it. A value that cannot be
 * decoded here is left out, and fails no list.
 *
 * @module
 */

import type {
  EventInfo,
  HistoryEntry,
  HistoryOptions,
  HistoryPage,
  MessageInfo,
  MessagePage,
  MessagesOptions,
  StreamInfo,
} from "../inspection.ts";
import type { HistoryKind } from "../observer.ts";
import type { HistoryRecord, MessageRecord, Outcome, PartPage, PartQuery } from "../driver/driver.ts";
import { isActive } from "../driver/statuses.ts";
import { PROTOTYPES, quote, ValidationError, WorkflowNotFoundError } from "../errors.ts";
import { checkName, checkWholeNumber } from "../values/checks.ts";
import { type SerializedError, toSerialized } from "../values/serialized_error.ts";
import { fromStored } from "../values/marked_text.ts";
import { splitLabel } from "../values/send_label.ts";
import type { Decoder, ReadHost } from "./host.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** The prefix of a dedupe key that a sender has chosen. */
const SENDERS_KEY = "key:";

/** See `Client.history`. */
export async function readHistory(
  { driver, values }: ReadHost,
  workflowId: string,
  options: HistoryOptions,
): Promise<HistoryPage> {
  const { limit = DEFAULT_LIMIT, after } = options;
  checkPage(workflowId, limit, after);
  const page = found(workflowId, await driver.readHistory({ workflowId, after: after ?? null, limit }));
  return {
    entries: page.items.map((record) => toEntry(record, values)),
    ...next(page, ({ position }) => position),
  };
}

/** See `Client.messages`. */
export async function readMessages(
  { driver, values }: ReadHost,
  workflowId: string,
  options: MessagesOptions,
): Promise<MessagePage> {
  const { state = "unread", topic = null, limit = DEFAULT_LIMIT, after } = options;
  checkPage(workflowId, limit, after);
  if (topic !== null && topic !== "") checkName(topic, "topic");
  if (state !== "unread" && state !== "received" && state !== "all") {
    throw new ValidationError(
      `Listing messages: state is ${quote(String(state))}, and must be "unread", "received" or "all"`,
    );
  }
  const page = found(
    workflowId,
    await driver.listMessages({ workflowId, state, topic, after: after ?? null, limit }),
  );
  return {
    messages: page.items.map((record) => toMessage(record, values)),
    ...next(page, ({ number }) => number),
  };
}

/** See `Client.events`. */
export async function readEvents({ driver, values }: ReadHost, workflowId: string): Promise<EventInfo[]> {
  const { items } = await readAll(workflowId, (query) => driver.listEvents(query));
  return items.map(({ key, version, value, updatedAt }) => ({
    key,
    version,
    ...readable(() => ({ value: values.decode(value) })),
    updatedAt,
  }));
}

/** See `Client.streams`. */
export async function readStreams({ driver }: ReadHost, workflowId: string): Promise<StreamInfo[]> {
  const { items, hasEnded } = await readAll(workflowId, (query) => driver.listStreams(query));
  return items.map(({ key, length, closed, updatedAt }) => ({ key, length, closed: closed || hasEnded, updatedAt }));
}

function checkPage(workflowId: string, limit: number, after: number | undefined): void {
  checkName(workflowId, "workflow ID");
  checkWholeNumber(limit, "limit of the page", 1, MAX_LIMIT);
  if (after !== undefined) checkWholeNumber(after, "place of the page", 0);
}

function found<Item>(workflowId: string, page: PartPage<Item>): PartPage<Item> {
  if (page.status === null) throw new WorkflowNotFoundError(workflowId);
  return page;
}

function next<Item>({ items, more }: PartPage<Item>, placeOf: (item: Item) => number): { next?: number } {
  const last = items.at(-1);
  return more && last !== undefined ? { next: placeOf(last) } : {};
}

/** Reads all pages. There is more than one only if the values are large or the keys are many. */
async function readAll<Item extends { key: string }>(
  workflowId: string,
  read: (query: PartQuery<string>) => Promise<PartPage<Item>>,
): Promise<{ items: Item[]; hasEnded: boolean }> {
  checkName(workflowId, "workflow ID");
  const items: Item[] = [];
  for (;;) {
    const after = items.at(-1)?.key ?? null;
    const page = found(workflowId, await read({ workflowId, after, limit: MAX_LIMIT }));
    items.push(...page.items);
    if (!page.more) return { items, hasEnded: !isActive(page.status!) };
  }
}

/** Returns `unreadable` if the text cannot be decoded here. */
function readable<T extends object>(read: () => T): T | { unreadable: true } {
  try {
    return read();
  } catch {
    return { unreadable: true };
  }
}

function toMessage(record: MessageRecord, values: Decoder): MessageInfo {
  const { messageId, topic, dedupeKey, value, sentAt, received } = record;
  return {
    messageId,
    topic,
    sentAt,
    ...(received && { receivedAt: received.at, position: received.position }),
    ...readable(() => ({ value: values.decode(fromStored(value).text) })),
    ...(dedupeKey.startsWith(SENDERS_KEY) && { idempotencyKey: dedupeKey.slice(SENDERS_KEY.length) }),
  };
}

function toEntry(record: HistoryRecord, values: Decoder): HistoryEntry {
  const { position, outcome, startedAt, endedAt, attempts, deadline } = record;
  const { label, destinationId } = splitLabel(record.label);
  return {
    position,
    ...toKind(label),
    ...(destinationId !== undefined && { destinationId }),
    state: outcome === null ? "waiting" : stateOf(outcome),
    startedAt,
    ...(endedAt !== null && { endedAt }),
    ...(attempts > 0 && { attempts }),
    ...(deadline !== null && { deadline }),
    ...(outcome && readable(() => toValue(outcome, values))),
  };
}

/**
 * Reads a label, such as `step "charge"` or `sleep`. The label of a check has the position and the
 * label of what was received.
 */
function toKind(label: string): { kind: HistoryKind; name?: string | string[] } {
  const [, kind, rest] = /^(\w+) ?(.*)$/s.exec(label) ?? [];
  const text = kind === "check" ? rest!.replace(/^\d+ \w+ /, "") : rest;
  try {
    return { kind: kind as HistoryKind, ...(text && { name: JSON.parse(text) }) };
  } catch {
    return { kind: kind as HistoryKind, name: text! };
  }
}

function stateOf({ tag }: Outcome): HistoryEntry["state"] {
  if (tag === "timeout" || tag === "withdrawn") return tag;
  return ["value", "done", "message", "sent", "duplicate"].includes(tag) ? "done" : "failed";
}

function toValue({ tag, value }: Outcome, values: Decoder): Pick<HistoryEntry, "value" | "error"> {
  switch (tag) {
    case "value":
      return { value: values.decode(value!) };
    case "message":
      return { value: values.decode(fromStored(value!).text) };
    case "error":
    case "withdrawn":
      return value == null ? { error: refusal("error") } : { error: toSerialized(values.decode(value)) };
    case "done":
    case "sent":
    case "duplicate":
      return value == null ? {} : { value };
    case "timeout":
      return {};
    default:
      return { error: refusal(tag, value ?? undefined) };
  }
}

/** An outcome that is an error without being stored as one. Its tag is the error's code. */
function refusal(tag: string, status?: string): SerializedError {
  const code = tag === "cancelled" ? "workflow_cancelled" : tag === "error" ? "workflow_failed" : tag;
  const name = PROTOTYPES.get(code)?.name ?? "ParleyError";
  return { name, message: status === undefined ? code : `${code}: ${status}`, fields: { code } };
}
