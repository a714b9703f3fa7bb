/**
 * Messages: sending and taking.
 *
 * @module
 */

import type { NewMessage, Outcome, SendResult, WorkflowStatus } from "../../../core/driver/driver.ts";
import { isActive } from "../../../core/driver/statuses.ts";
import { messageSignal } from "../../signals.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

type SendRefusal = Extract<SendResult, { state: "refused" }>["reason"];

/** What a send does with a message. `delivered`: the message is new. */
type Verdict =
  | { is: "delivered"; row: ChangedRow }
  | { is: "repeated"; messageId: string; duplicate: boolean }
  | { is: "refused"; reason: SendRefusal; status: WorkflowStatus | null };

/** A message that waits. */
export interface WaitingMessage {
  readonly topic: string;
  readonly number: number;
  readonly dedupeKey: string;
  readonly value: string;
}

/** `Driver.send`: looks at all messages before the first write. */
export function sendAll(tx: Transaction, messages: readonly NewMessage[]): SendResult {
  const woken = new Set<string>();
  const refused = findRefusal(tx, messages);
  if (refused) return refused;
  const receipts = messages.map((message) => {
    const verdict = judge(tx, message);
    if (verdict.is === "repeated") return { messageId: verdict.messageId, duplicate: verdict.duplicate };
    if (verdict.is === "delivered") deliver(tx, verdict.row, message, woken);
    return { messageId: message.messageId, duplicate: false };
  });
  return { state: "sent", receipts, woken: [...woken] };
}

/** A send as an operation of a workflow. */
export function sendOne(tx: Transaction, message: NewMessage, woken: Set<string>): Outcome {
  const verdict = judge(tx, message);
  if (verdict.is !== "delivered") return judged(verdict);
  deliver(tx, verdict.row, message, woken);
  return { tag: "sent", value: message.messageId };
}

/**
 * The answer to a send of a repeated commit. If the message is unknown, the first call refused it,
 * and so does the repeat.
 */
export function sentBefore(tx: Transaction, message: NewMessage): Outcome {
  const verdict = judge(tx, message);
  return verdict.is === "delivered" ? { tag: "workflow_not_found" } : judged(verdict);
}

/**
 * The oldest message over these topics, if the oldest of its topic was sent no later than `until`.
 * Messages of one topic keep their order.
 */
export function oldestMessage(
  { database }: Transaction,
  { workflowId, unread }: ChangedRow,
  topics: readonly string[],
  until: number,
): WaitingMessage | null {
  if (unread === 0) return null;
  let oldest: { topic: string; number: number } | null = null;
  for (const topic of topics) {
    const [head] = database.all<{ number: number; sentAt: number }>(
      `select number, sent_at as sentAt from parley_inbox where workflow_id = ? and topic = ? order by number limit 1`,
      workflowId,
      topic,
    );
    if (head && head.sentAt <= until && (oldest === null || head.number < oldest.number)) {
      oldest = { topic, number: head.number };
    }
  }
  if (oldest === null) return null;
  const [message] = database.all<WaitingMessage>(
    `select topic, number, dedupe_key as dedupeKey, value from parley_inbox
    where workflow_id = ? and topic = ? and number = ?`,
    workflowId,
    oldest.topic,
    oldest.number,
  );
  return message ?? null;
}

/** Takes a message out of the inbox. The caller records it in the journal. */
export function takeMessage({ database }: Transaction, row: ChangedRow, { topic, number }: WaitingMessage): void {
  const sql = "delete from parley_inbox where workflow_id = ? and topic = ? and number = ?";
  database.run(sql, row.workflowId, topic, number);
  row.unread -= 1;
}

/** Makes the messages unread again that entries from a position on have received, each in its old place. */
export function restoreMessages({ database }: Transaction, row: ChangedRow, from: number): void {
  const restored = database.all<{ number: number }>(
    `insert into parley_inbox (workflow_id, topic, number, dedupe_key, sent_at, value)
    select s.workflow_id, s.topic, s.number, s.dedupe_key, s.sent_at, j.value
    from parley_journal as j
    join parley_sent as s on s.workflow_id = j.workflow_id and s.dedupe_key = j.message_key
    where j.workflow_id = ? and j.position >= ? and j.message_key is not null
    returning number`,
    row.workflowId,
    from,
  );
  row.unread += restored.length;
}

function judged(verdict: Exclude<Verdict, { is: "delivered" }>): Outcome {
  if (verdict.is === "refused") {
    return verdict.status === null ? { tag: verdict.reason } : { tag: verdict.reason, value: verdict.status };
  }
  return { tag: verdict.duplicate ? "duplicate" : "sent", value: verdict.messageId };
}

function findRefusal(tx: Transaction, messages: readonly NewMessage[]): SendResult | null {
  // Two messages of one call may have the same key. The later one is then judged as if the earlier
  // one had been sent.
  const earlier = new Map<string, NewMessage>();
  for (const [index, message] of messages.entries()) {
    const id = JSON.stringify([message.destinationId, message.dedupeKey]);
    const verdict = judge(tx, message, earlier.get(id));
    if (verdict.is === "refused") return { state: "refused", index, reason: verdict.reason, status: verdict.status };
    if (verdict.is === "delivered") earlier.set(id, message);
  }
  return null;
}

/**
 * Looks for a repeat before it looks at the status. A repeat gets the first answer, even if the
 * destination has ended since.
 */
function judge(tx: Transaction, message: NewMessage, earlier?: { messageId: string; topic: string }): Verdict {
  const row = tx.find(message.destinationId);
  if (!row) return { is: "refused", reason: "workflow_not_found", status: null };
  const [stored] = tx.database.all<{ messageId: string; topic: string }>(
    "select message_id as messageId, topic from parley_sent where workflow_id = ? and dedupe_key = ?",
    message.destinationId,
    message.dedupeKey,
  );
  const first = stored ?? earlier;
  if (first) {
    if (first.topic !== message.topic) return { is: "refused", reason: "idempotency_conflict", status: null };
    return { is: "repeated", messageId: first.messageId, duplicate: first.messageId !== message.messageId };
  }
  if (!isActive(row.status)) return { is: "refused", reason: "workflow_ended", status: row.status };
  return { is: "delivered", row };
}

function deliver(tx: Transaction, row: ChangedRow, message: NewMessage, woken: Set<string>): void {
  const { topic, messageId, dedupeKey, value } = message;
  const { workflowId } = row;
  const number = row.lastNumber += 1;
  row.unread += 1;
  tx.database.run(
    `insert into parley_sent (workflow_id, dedupe_key, number, topic, message_id, sent_at) values (?, ?, ?, ?, ?, ?)`,
    workflowId,
    dedupeKey,
    number,
    topic,
    messageId,
    tx.now,
  );
  tx.database.run(
    `insert into parley_inbox (workflow_id, topic, number, dedupe_key, sent_at, value) values (?, ?, ?, ?, ?, ?)`,
    workflowId,
    topic,
    number,
    dedupeKey,
    tx.now,
    value,
  );
  if (row.suspended === 1) tx.signal(messageSignal(workflowId, topic), woken);
  tx.hint(`inbox:${workflowId}`);
}
