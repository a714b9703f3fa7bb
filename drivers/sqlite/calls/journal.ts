/**
 * The entries of journals.
 *
 * @module
 */

import type { JournalPage, OpenEntry, Operation, Outcome, OutcomeTag } from "../../../core/driver/driver.ts";
import { PAGE_LENGTH, pageSize } from "../../page_size.ts";
import type { Database } from "../database.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** One position of a journal. It is open while `tag` is `null`. */
export interface Entry extends OutcomeColumns {
  readonly position: number;
  readonly label: string;
  seq: number | null;
  readonly startedAt: number;
  endedAt: number | null;
  deadline: number | null;
  attempts: number;
  messageKey: string | null;
}

/** An outcome as columns. */
export interface OutcomeColumns {
  tag: OutcomeTag | null;
  value: string | null;
  topic: string | null;
}

const ENTRY =
  "position, label, seq, started_at as startedAt, ended_at as endedAt, deadline, attempts, message_key as messageKey, tag, topic, value";

/** Returns the outcome of an entry, with the members that its tag has; `null` while it is open. */
export function outcomeOf({ tag, value, topic }: OutcomeColumns): Outcome | null {
  if (tag === null) return null;
  if (topic !== null) return { tag, value, topic };
  return value !== null || tag === "value" || tag === "error" ? { tag, value } : { tag };
}

const FIND_ENTRY = `select ${ENTRY} from parley_journal where workflow = ? and position = ?`;

/** Reads the entry at a position. */
export function findEntry({ database }: Transaction, workflow: number, position: number): Entry | undefined {
  return database.all<Entry>(FIND_ENTRY, workflow, position)[0];
}

/** An entry that is not in the journal yet. */
export function newEntry(
  { now }: Transaction,
  { ageMs = 0 }: Pick<Operation, "ageMs">,
  place: Pick<Entry, "position" | "label" | "deadline">,
): Entry {
  const open = { seq: null, endedAt: null, attempts: 0, messageKey: null, tag: null, value: null, topic: null };
  return { ...place, ...open, startedAt: now - ageMs };
}

/** Writes an entry that is open. */
export function openEntry(tx: Transaction, row: ChangedRow, entry: Entry): void {
  writeEntry(tx, row, entry);
  tx.progressed(row);
}

/** Gives an entry its outcome and its place in the recorded order, and writes it. */
export function completeEntry(tx: Transaction, row: ChangedRow, entry: Entry, outcome: Outcome): void {
  entry.seq = row.lastSeq += 1;
  entry.tag = outcome.tag;
  entry.value = outcome.value ?? null;
  entry.topic = outcome.topic ?? null;
  entry.endedAt = tx.now;
  writeEntry(tx, row, entry);
  tx.progressed(row);
}

const WRITE_ENTRY =
  `insert or replace into parley_journal (workflow, position, label, seq, started_at, ended_at, deadline, attempts,
  message_key, tag, topic, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

function writeEntry({ database }: Transaction, row: ChangedRow, entry: Entry): void {
  database.run(
    WRITE_ENTRY,
    row.number,
    entry.position,
    entry.label,
    entry.seq,
    entry.startedAt,
    entry.endedAt,
    entry.deadline,
    entry.attempts,
    entry.messageKey,
    entry.tag,
    entry.topic,
    entry.value,
  );
  row.topPosition = Math.max(row.topPosition, entry.position);
}

/**
 * Reads a page of complete entries. It is empty if not even its first entry fits the room, in bytes
 * of values.
 */
export function journalPage(
  database: Database,
  { workflow, after, limit, room }: { workflow: number; after: number; limit: number; room: number },
): JournalPage {
  const sizes = database.all<{ seq: number; size: number }>(
    `select seq, coalesce(octet_length(value), 0) as size from parley_journal
    where workflow = ? and seq > ? order by seq limit ?`,
    workflow,
    after,
    limit + 1,
  );
  const bounds = { available: sizes.length, limit, length: PAGE_LENGTH, room };
  const count = pageSize(bounds, (index) => sizes[index]?.size ?? 0);
  const last = sizes[count - 1];
  if (!last) return { entries: [], more: sizes.length > 0 };
  const entries = database.all<OutcomeColumns & { position: number; label: string; seq: number }>(
    `select position, label, seq, tag, topic, value from parley_journal
    where workflow = ? and seq > ? and seq <= ? order by seq`,
    workflow,
    after,
    last.seq,
  ).flatMap(({ position, label, seq, ...columns }) => {
    const outcome = outcomeOf(columns);
    return outcome ? { position, label, seq, outcome } : [];
  });
  return { entries, more: sizes.length > count };
}

/** Reads the open entries of a workflow, by position. */
export function openEntries({ database, now }: Transaction, { number }: ChangedRow): OpenEntry[] {
  const open = database.all<Pick<Entry, "position" | "label" | "attempts" | "deadline">>(
    "select position, label, attempts, deadline from parley_journal where workflow = ? and seq is null order by position",
    number,
  );
  return open.map(({ deadline, ...entry }) => ({
    ...entry,
    remainingMs: deadline === null ? null : Math.max(0, deadline - now),
  }));
}
