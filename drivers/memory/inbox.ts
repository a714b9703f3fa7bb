/**
 * Messages: sending and taking.
 *
 * @module
 */

import type { NewMessage, Outcome, SendResult, WorkflowStatus } from "../../core/driver/driver.ts";
import { isActive } from "../../core/driver/statuses.ts";
import { messageSignal } from "../signals.ts";
import { Queue, type SentKey, type StoredMessage, type WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

type SendRefusal = Extract<SendResult, { state: "refused" }>["reason"];

/** What a send does with a message. `delivered`: the message is new. */
type Verdict =
  | { is: "delivered" }
  | { is: "repeated"; messageId: string; duplicate: boolean }
  | { is: "refused"; reason: SendRefusal; status: WorkflowStatus | null };

/** `Driver.send`: looks at all messages before the first write. */
export function sendAll(store: MemoryStore, messages: readonly NewMessage[]): SendResult {
  const refused = findRefusal(store, messages);
  if (refused) return refused;
  const woken = new Set<string>();
  const receipts = messages.map((message) => {
    const verdict = judge(store, message);
    if (verdict.is === "repeated") return { messageId: verdict.messageId, duplicate: verdict.duplicate };
    deliver(store, message, woken);
    return { messageId: message.messageId, duplicate: false };
  });
  return { state: "sent", receipts, woken: [...woken] };
}

/** A send as an operation of a workflow. */
export function sendOne(store: MemoryStore, message: NewMessage, woken: Set<string>): Outcome {
  const verdict = judge(store, message);
  if (verdict.is !== "delivered") return judged(verdict);
  deliver(store, message, woken);
  return { tag: "sent", value: message.messageId };
}

/**
 * The answer to a send of a repeated commit. If the message is unknown, the first call refused it,
 * and so does the repeat.
 */
export function sentBefore(store: MemoryStore, message: NewMessage): Outcome {
  const verdict = judge(store, message);
  return verdict.is === "delivered" ? { tag: "workflow_not_found" } : judged(verdict);
}

/**
 * The topic whose oldest message is the oldest over these topics, if it was sent no later than
 * `until`. Messages of one topic keep their order.
 */
export function oldestTopic(row: WorkflowRow, topics: readonly string[], until: number): string | null {
  let oldest: { number: number; topic: string } | null = null;
  for (const topic of topics) {
    const head = row.inbox.queues.get(topic)?.peek();
    if (head && head.sentAt <= until && (oldest === null || head.number < oldest.number)) {
      oldest = { number: head.number, topic };
    }
  }
  return oldest?.topic ?? null;
}

/** Makes messages unread again, each in its old place. */
export function restore({ inbox }: WorkflowRow, messages: readonly StoredMessage[]): void {
  for (const message of messages) message.received = null;
  for (const topic of new Set(messages.map(({ topic }) => topic))) {
    const unread = inbox.messages.filter((message) => message.topic === topic && message.received === null);
    inbox.queues.get(topic)?.fill(unread);
  }
}

/** How many messages are unread. */
export function countUnread({ inbox }: WorkflowRow): number {
  return [...inbox.queues.values()].reduce((sum, queue) => sum + queue.size, 0);
}

function judged(verdict: Exclude<Verdict, { is: "delivered" }>): Outcome {
  if (verdict.is === "refused") return { tag: verdict.reason, value: verdict.status };
  return { tag: verdict.duplicate ? "duplicate" : "sent", value: verdict.messageId };
}

function findRefusal(store: MemoryStore, messages: readonly NewMessage[]): SendResult | null {
  // Two messages of one call may have the same key. The later one is then judged as if the earlier
  // one had been sent.
  const earlier = new Map<string, SentKey>();
  for (const [index, message] of messages.entries()) {
    const id = JSON.stringify([message.destinationId, message.dedupeKey]);
    const verdict = judge(store, message, earlier.get(id));
    if (verdict.is === "refused") return { state: "refused", index, reason: verdict.reason, status: verdict.status };
    if (verdict.is === "delivered") earlier.set(id, message);
  }
  return null;
}

/**
 * Looks for a repeat before it looks at the status. A repeat gets the first answer, even if the
 * destination has ended since.
 */
function judge(store: MemoryStore, message: NewMessage, earlier?: SentKey): Verdict {
  const row = store.rows.get(message.destinationId);
  if (!row) return { is: "refused", reason: "workflow_not_found", status: null };
  const first = row.inbox.sent.get(message.dedupeKey) ?? earlier;
  if (first) {
    if (first.topic !== message.topic) return { is: "refused", reason: "idempotency_conflict", status: null };
    return { is: "repeated", messageId: first.messageId, duplicate: first.messageId !== message.messageId };
  }
  if (!isActive(row.status)) return { is: "refused", reason: "workflow_ended", status: row.status };
  return { is: "delivered" };
}

function deliver(store: MemoryStore, message: NewMessage, woken: Set<string>): void {
  const row = store.rows.get(message.destinationId);
  if (!row) return;
  const { inbox } = row;
  inbox.lastNumber += 1;
  inbox.sent.set(message.dedupeKey, { messageId: message.messageId, topic: message.topic });
  let queue = inbox.queues.get(message.topic);
  if (!queue) inbox.queues.set(message.topic, queue = new Queue());
  const { topic, messageId, dedupeKey, value } = message;
  const stored = { number: inbox.lastNumber, topic, messageId, dedupeKey, value, sentAt: store.now(), received: null };
  queue.push(stored);
  inbox.messages.push(stored);
  store.signal(messageSignal(row.workflowId, message.topic), woken);
  store.hints.changed(`inbox:${row.workflowId}`);
}
