/**
 * Messages: sending and taking.
 *
 * @module
 */

import type { NewMessage, Outcome, SendResult, WorkflowStatus } from "../../../core/driver/driver.ts";
import { isActive } from "../../../core/driver/statuses.ts";
import { messageSignal } from "../../signals.ts";
import type { Database } from "../database.ts";
import { WORKFLOW } from "../schema.ts";
import { stateOf, type WorkflowState } from "./row.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

type SendRefusal = Extract<SendResult, { state: "refused" }>["reason"];

/** What a send does with a message. `delivered`: the message is new. */
type Verdict =
  | { is: "delivered" }
  | { is: "repeated"; messageId: string; duplicate: boolean }
  | { is: "refused"; reason: SendRefusal; status: WorkflowStatus | null };

/** A message that waits. */
export interface WaitingMessage {
  readonly topic: string;
  readonly number: number;
  readonly dedupeKey: string;
  readonly value: string;
}

/**
 * Reads columns of the oldest message of a topic. SQLite 3.54 prepares a statement again at each call if a
 * parameter is compared with a column and there is an `order by`. It does not if the parameter is part of an
 * expression.
 */
export const head = (columns: string): string =>
  `select ${columns} from parley_inbox
  where workflow = cast(? as integer) and topic = cast(? as text) order by number limit 1`;

const HEAD_PLACE = head("number, sent_at as sentAt");
const HEAD = head("number, dedupe_key as dedupeKey, sent_at as sentAt, value");
const TAKE = "delete from parley_inbox where workflow = ? and topic = ? and number = ?";
const COUNT = "select count(*) as count from parley_inbox where workflow = ? and last_number is null";
const SENT =
  "select coalesce(message_id, dedupe_key) as messageId, topic from parley_sent where workflow = ? and dedupe_key = ?";

/** How many messages a workflow was sent. */
export const LAST_NUMBER =
  `(select last_number from parley_inbox where workflow = ${WORKFLOW} and topic = x'' and number = 0)`;

/**
 * Adds a message, unless its key is known, or the destination does not exist, has ended, or is suspended and may not
 * be. It has values and no `select`, which would go through a temporary table because of the trigger.
 */
const DELIVER =
  `insert into parley_inbox (workflow, topic, number, is_new, dedupe_key, message_id, sent_at, value) values (
  (select number from parley_workflows where id = ? and suspended <= ? and status in ('PENDING', 'ENQUEUED')),
  ?, coalesce(${LAST_NUMBER}, 0) + 1, 1, ?, ?, ?, ?
)`;

/** `Driver.send`: looks at all messages before the first write. A single one needs no look before. */
export function sendAll(tx: Transaction, messages: readonly NewMessage[]): SendResult {
  const woken = new Set<string>();
  const refused = messages.length > 1 ? findRefusal(tx, messages) : null;
  if (refused) return refused;
  const receipts: { messageId: string; duplicate: boolean }[] = [];
  for (const [index, message] of messages.entries()) {
    const verdict = deliver(tx, message, woken);
    if (verdict.is === "refused") return toRefused(index, verdict);
    const { messageId, duplicate } = verdict.is === "repeated" ? verdict : { ...message, duplicate: false };
    receipts.push({ messageId, duplicate });
  }
  return { state: "sent", receipts, woken: [...woken] };
}

/**
 * Sends one message with one statement, which needs no transaction around it. Returns `null` if
 * nothing was written, because the call needs more than that.
 */
export function sendAlone(tx: Transaction, messages: readonly NewMessage[]): SendResult | null {
  const [message] = messages;
  if (messages.length !== 1 || message === undefined) return null;
  if (!insertMessage(tx, message, { suspended: 0 })) return null;
  return { state: "sent", receipts: [{ messageId: message.messageId, duplicate: false }], woken: [] };
}

/** A send as an operation of a workflow. */
export function sendOne(tx: Transaction, message: NewMessage, woken: Set<string>): Outcome {
  const verdict = deliver(tx, message, woken);
  return verdict.is === "delivered" ? { tag: "sent", value: message.messageId } : judged(verdict);
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
  workflow: number,
  topics: readonly string[],
  until: number,
): WaitingMessage | null {
  const [only] = topics;
  if (topics.length === 1 && only !== undefined) return headOf(database, workflow, only, until);
  // The values of the other heads are not read, because they may be large.
  let oldest: { topic: string; number: number } | null = null;
  for (const topic of topics) {
    const [head] = database.all<{ number: number; sentAt: number }>(HEAD_PLACE, workflow, topic);
    if (head && head.sentAt <= until && (oldest === null || head.number < oldest.number)) {
      oldest = { topic, number: head.number };
    }
  }
  return oldest && headOf(database, workflow, oldest.topic, until);
}

function headOf(database: Database, workflow: number, topic: string, until: number): WaitingMessage | null {
  const [head] = database.all<Omit<WaitingMessage, "topic"> & { sentAt: number }>(HEAD, workflow, topic);
  return head && head.sentAt <= until ? { ...head, topic } : null;
}

/** How many messages wait. */
export function countUnread({ database }: Transaction, { number }: ChangedRow): number {
  return database.all<{ count: number }>(COUNT, number)[0]?.count ?? 0;
}

/** Takes a message out of the inbox. The caller records it in the journal. */
export function takeMessage({ database }: Transaction, workflow: number, { topic, number }: WaitingMessage): void {
  database.run(TAKE, workflow, topic, number);
}

/** Makes the messages unread again that entries from a position on have received, each in its old place. */
export function restoreMessages({ database }: Transaction, { number }: ChangedRow, from: number): void {
  database.run(
    `insert into parley_inbox (workflow, topic, number, dedupe_key, sent_at, value)
    select s.workflow, s.topic, s.number, s.dedupe_key, s.sent_at, j.value
    from parley_journal as j
    join parley_sent as s on s.workflow = j.workflow and s.dedupe_key = j.message_key
    where j.workflow = ? and j.position >= ? and j.message_key is not null`,
    number,
    from,
  );
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
    if (verdict.is === "refused") return toRefused(index, verdict);
    if (verdict.is === "delivered") earlier.set(id, message);
  }
  return null;
}

function toRefused(index: number, { reason, status }: Extract<Verdict, { is: "refused" }>): SendResult {
  return { state: "refused", index, reason, status };
}

/**
 * Looks for a repeat before it looks at the status. A repeat gets the first answer, even if the
 * destination has ended since.
 */
function judge(
  tx: Transaction,
  message: NewMessage,
  earlier?: { messageId: string; topic: string },
  destination: WorkflowState | null = findDestination(tx, message.destinationId),
): Verdict {
  if (!destination) return { is: "refused", reason: "workflow_not_found", status: null };
  const params = [destination.number, message.dedupeKey] as const;
  const [stored] = tx.database.all<{ messageId: string; topic: string }>(SENT, ...params);
  const first = stored ?? earlier;
  if (first) {
    if (first.topic !== message.topic) return { is: "refused", reason: "idempotency_conflict", status: null };
    return { is: "repeated", messageId: first.messageId, duplicate: first.messageId !== message.messageId };
  }
  const { status } = destination;
  return isActive(status) ? { is: "delivered" } : { is: "refused", reason: "workflow_ended", status };
}

/** Finds a destination without its row, or with the row that the call has changed. */
function findDestination(tx: Transaction, workflowId: string): WorkflowState | null {
  const row = tx.loaded(workflowId);
  return row === undefined ? stateOf(tx.database, workflowId) ?? null : row;
}

/** Adds a message, unless it is refused or a repeat. */
function deliver(tx: Transaction, message: NewMessage, woken: Set<string>): Verdict {
  const { destinationId, topic } = message;
  const destination = findDestination(tx, destinationId);
  if (!destination || !isActive(destination.status)) return judge(tx, message, undefined, destination);
  // The call may have started the destination.
  if (tx.loaded(destinationId)?.number === 0) tx.save();
  if (!insertMessage(tx, message, { suspended: 1 })) return judge(tx, message, undefined, destination);
  if (destination.suspended === 1) tx.signal(messageSignal(destinationId, topic), woken);
  return { is: "delivered" };
}

/** Adds a message and gives a hint. `suspended: 0` refuses a destination that is suspended. */
function insertMessage(
  tx: Transaction,
  { destinationId, topic, messageId, dedupeKey, value }: NewMessage,
  { suspended }: { suspended: 0 | 1 },
): boolean {
  const otherId = messageId === dedupeKey ? null : messageId;
  const params = [destinationId, suspended, topic, destinationId, dedupeKey, otherId, tx.now, value] as const;
  const isNew = tx.database.change(DELIVER, ...params);
  if (isNew) tx.hint(`inbox:${destinationId}`);
  return isNew;
}
