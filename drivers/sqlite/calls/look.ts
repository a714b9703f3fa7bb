/**
 * Reads that show what one workflow has: its journal with times, messages, events and streams.
 *
 * @module
 */

import type {
  EventRecord,
  HistoryRecord,
  MessageQuery,
  MessageRecord,
  PartPage,
  PartQuery,
  StreamRecord,
} from "../../../core/driver/driver.ts";
import { PAGE_LENGTH, pageSize } from "../../page_size.ts";
import type { Param } from "../database.ts";
import { type Entry, outcomeOf } from "./journal.ts";
import { stateOf } from "./row.ts";
import type { Transaction } from "./transaction.ts";

/** `Driver.readHistory`. */
export function readHistory(tx: Transaction, query: PartQuery<number>): PartPage<HistoryRecord> {
  return page(tx, query, {
    from: "(select *, position as place from parley_journal where workflow = ?)",
    params: (workflow) => [workflow],
    first: -1,
    columns: "position, label, started_at as startedAt, ended_at as endedAt, attempts, deadline, tag, value, topic",
    toItem: (entry: Entry): HistoryRecord => ({
      position: entry.position,
      label: entry.label,
      outcome: outcomeOf(entry),
      startedAt: entry.startedAt,
      endedAt: entry.endedAt,
      attempts: entry.attempts,
      deadline: entry.tag === null || entry.tag === "timeout" ? entry.deadline : null,
    }),
  });
}

/** What waits is in the inbox, and what was received is in the journal. */
const UNREAD = `select number as place, topic, dedupe_key, sent_at, value, null as position, null as received_at
  from parley_inbox where workflow = ? and last_number is null`;
const RECEIVED = `select s.number, s.topic, s.dedupe_key, s.sent_at, j.value, j.position, j.ended_at
  from parley_journal as j join parley_sent as s on s.workflow = j.workflow and s.dedupe_key = j.message_key
  where j.workflow = ? and j.message_key is not null`;

const MESSAGES = {
  unread: UNREAD,
  received: `${UNREAD} and false union all ${RECEIVED}`,
  all: `${UNREAD} union all ${RECEIVED}`,
};

interface MessageColumns extends Omit<MessageRecord, "received"> {
  readonly position: number | null;
  readonly receivedAt: number | null;
}

/** `Driver.listMessages`. */
export function listMessages(tx: Transaction, query: MessageQuery): PartPage<MessageRecord> {
  const { state, topic } = query;
  const id = `(select coalesce(s.message_id, s.dedupe_key) from parley_sent as s
    where s.workflow = ? and s.dedupe_key = m.dedupe_key)`;
  return page(tx, query, {
    from: `(select m.*, ${id} as message_id from (${MESSAGES[state]}) as m where ? is null or topic = ?)`,
    params: (workflow) => [workflow, workflow, ...state === "unread" ? [] : [workflow], topic, topic],
    first: 0,
    columns: `place as number, message_id as messageId, topic, dedupe_key as dedupeKey, value, sent_at as sentAt,
      position, received_at as receivedAt`,
    toItem: ({ position, receivedAt, ...message }: MessageColumns): MessageRecord => ({
      ...message,
      received: position !== null && receivedAt !== null ? { position, at: receivedAt } : null,
    }),
  });
}

/** `Driver.listEvents`. */
export function listEvents(tx: Transaction, query: PartQuery<string>): PartPage<EventRecord> {
  return page(tx, query, {
    from: "(select *, key as place from parley_events where workflow = ?)",
    params: (workflow) => [workflow],
    first: "",
    columns: "key, version, value, updated_at as updatedAt",
    toItem: (event: EventRecord): EventRecord => ({ ...event }),
  });
}

/** `Driver.listStreams`. */
export function listStreams(tx: Transaction, query: PartQuery<string>): PartPage<StreamRecord> {
  return page(tx, query, {
    from: "(select *, key as place, '' as value from parley_streams where workflow = ?)",
    params: (workflow) => [workflow],
    first: "",
    columns: "key, tail as length, closed, updated_at as updatedAt",
    toItem: ({ closed, ...stream }: Omit<StreamRecord, "closed"> & { closed: number }): StreamRecord => ({
      ...stream,
      closed: closed === 1,
    }),
  });
}

/** What a page consists of: rows with a `place` and a `value`. No item is at the place `first`. */
interface Part<Columns, Item> {
  readonly from: string;
  /** The parameters of `from`, for the number of the workflow. */
  params(workflow: number): Param[];
  readonly first: number | string;
  readonly columns: string;
  toItem(columns: Columns): Item;
}

/** Reads sizes first, and then no more values than a page holds. */
function page<Columns, Item>(
  { database }: Transaction,
  { workflowId, after, limit }: PartQuery<number | string>,
  { from, params, first, columns, toItem }: Part<Columns, Item>,
): PartPage<Item> {
  const workflow = stateOf(database, workflowId);
  if (!workflow) return { status: null, items: [], more: false };
  const { number, status } = workflow;
  const sizes = database.all<{ place: number | string; size: number }>(
    `select place, coalesce(octet_length(value), 0) as size from ${from} where place > ? order by place limit ?`,
    ...params(number),
    after ?? first,
    limit + 1,
  );
  const bounds = { available: sizes.length, limit, length: PAGE_LENGTH };
  const last = sizes[pageSize(bounds, (index) => sizes[index]?.size ?? 0) - 1];
  if (!last) return { status, items: [], more: sizes.length > 0 };
  const rows = database.all<Columns>(
    `select ${columns} from ${from} where place > ? and place <= ? order by place`,
    ...params(number),
    after ?? first,
    last.place,
  );
  return { status, items: rows.map(toItem), more: sizes.length > rows.length };
}
