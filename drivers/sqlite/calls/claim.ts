/**
 * Claims: a run takes over workflows that are due.
 *
 * @module
 */

import type { Claimed, ClaimRequest, ClaimResult, JournalPage } from "../../../core/driver/driver.ts";
import { LEASE_END } from "../schema.ts";
import { journalPage, openEntries } from "./journal.ts";
import { readRecord, readTexts } from "./read.ts";
import type { WorkflowTexts } from "./row.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

const FIRST_PAGE = 1_000;
const MAX_UNKNOWN_NAMES = 10;

/** About how many bytes of values an answer holds. It always has room for one workflow. */
const ANSWER_BYTES = 4 * 1_048_576;

/** The lengths of the leases that there are. Each is one look into an index, however many leases there are. */
const LENGTHS = `lengths (ms) as (
  select min(lease_ms) from parley_workflows where phase = 'running'
  union all
  select (select min(w.lease_ms) from parley_workflows as w where w.phase = 'running' and w.lease_ms > lengths.ms)
  from lengths where ms is not null
)`;

/**
 * Workflows that are due, the earliest first. Parameters: the time three times, the names as JSON,
 * the exceptions as JSON, and the limit.
 */
const DUE = (names: string) =>
  `with recursive ${LENGTHS},
  due as (
    select id, name, due_at, number as place from parley_workflows where phase = 'ready'
    union all
    select id, name, due_at, number from parley_workflows where phase = 'waiting' and due_at <= ?
    union all
    select w.id, w.name, w.due_at, w.number from lengths cross join parley_workflows as w
    where w.phase = 'running' and w.lease_ms = lengths.ms and w.due_at <= ? and ${LEASE_END} <= ?
  )
  select ${names} from due
  where name in (select value from json_each(?)) = ? and id not in (select value from json_each(?))`;

const DUE_IDS = `${DUE("id")} order by due_at, place limit ?`;
const UNKNOWN = `${DUE("distinct name")} limit ${MAX_UNKNOWN_NAMES}`;

/** Leases that end too late, after the clock went back. */
const TOO_LONG = `with recursive ${LENGTHS}
select w.id from lengths cross join parley_workflows as w
where w.phase = 'running' and w.lease_ms = lengths.ms and w.due_at > ? + lengths.ms`;

/** `Driver.claim`. */
export function claim(tx: Transaction, request: ClaimRequest): ClaimResult {
  const { now } = tx;
  if (request.workflowIds === null) correctLeases(tx);
  const limit = Math.max(0, request.limit);
  const repeated = leasedTo(tx, request.owner);
  if (repeated.length > 0) {
    const more = repeated.length < limit && dueRows(tx, request, 1).length > 0;
    return { claimed: repeated.map((row) => toClaimed(tx, row)), unknown: [], nextDueMs: null, now, more };
  }
  const due = dueRows(tx, request, limit);
  const claimed = takeFitting(tx, due, request);
  tx.save();
  const all = request.workflowIds === null && claimed.length < limit;
  return {
    claimed,
    unknown: all ? unknownNames(tx, request) : [],
    nextDueMs: all ? nextDueMs(tx) : nextDueMsOf(tx, request),
    now,
    more: claimed.length < due.length,
  };
}

/** Leases the first rows, as many as one answer holds. */
function takeFitting(tx: Transaction, due: readonly ChangedRow[], { owner, leaseMs }: ClaimRequest): Claimed[] {
  const claimed: Claimed[] = [];
  let bytes = 0;
  for (const row of due) {
    const values = readValues(tx, row);
    bytes += values.bytes;
    if (claimed.length > 0 && bytes > ANSWER_BYTES) break;
    if (row.phase === "running") row.recoveryAttempts += 1;
    tx.lease(row, { owner, leaseMs, fresh: false });
    claimed.push(toClaimed(tx, row, values));
  }
  return claimed;
}

function correctLeases(tx: Transaction): void {
  for (const { id } of tx.database.all<{ id: string }>(TOO_LONG, tx.now)) {
    const row = tx.find(id);
    if (row) tx.correct(row);
  }
  tx.save();
}

/** The workflows that a claim of this owner has leased. Their leases have not lapsed. */
function leasedTo(tx: Transaction, owner: string): ChangedRow[] {
  const leased = tx.database.all<{ id: string }>(
    `select w.id from parley_workflows as w
    where w.phase = 'running' and w.fresh = 0 and w.owner = ? and ${LEASE_END} > ? order by w.number`,
    owner,
    tx.now,
  );
  return leased.flatMap(({ id }) => tx.find(id) ?? []);
}

/** The rows that a claim may take, oldest due first. */
function dueRows(tx: Transaction, { workflowIds, names, except }: ClaimRequest, limit: number): ChangedRow[] {
  if (workflowIds === null) {
    const params = [tx.now, tx.now, tx.now, JSON.stringify(names), 1, JSON.stringify(except), limit] as const;
    return tx.database.all<{ id: string }>(DUE_IDS, ...params).flatMap(({ id }) => tx.find(id) ?? []);
  }
  const rows = [...new Set(workflowIds)].flatMap((id) => tx.find(id) ?? []);
  for (const row of rows) tx.correct(row);
  return rows.filter((row) => names.includes(row.name) && !except.includes(row.workflowId) && tx.isDue(row))
    .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0)).slice(0, limit);
}

function unknownNames(tx: Transaction, { names, except }: ClaimRequest): string[] {
  const params = [tx.now, tx.now, tx.now, JSON.stringify(names), 0, JSON.stringify(except)] as const;
  return tx.database.all<{ name: string }>(UNKNOWN, ...params).map(({ name }) => name);
}

/**
 * Parameters: the time, five times. The due time of a lease is its end, or too early by up to a third of
 * its length, so a lease whose due time has passed may still be held. Due times that come say no more
 * than that no lease lapses before them.
 */
const NEXT_DUE = `with recursive ${LENGTHS}
  select min(at) as at from (
    select min(due_at) as at from parley_workflows where phase = 'waiting' and due_at > ?
    union all
    select (
      select min(w.due_at) from parley_workflows as w
      where w.phase = 'running' and w.lease_ms = lengths.ms and w.due_at > ?
    ) from lengths
    union all
    select ${LEASE_END} from lengths cross join parley_workflows as w
    where w.phase = 'running' and w.lease_ms = lengths.ms and w.due_at > ? - (lengths.ms + 2) / 3 and w.due_at <= ?
  ) where at > ?`;

/** The time until the next workflow becomes due, or the next lease lapses. */
function nextDueMs({ database, now }: Transaction): number | null {
  const [row] = database.all<{ at: number | null }>(NEXT_DUE, now, now, now, now, now);
  return typeof row?.at === "number" ? row.at - now : null;
}

/** The same for the workflows that a claim by ID names and that no run holds. */
function nextDueMsOf(tx: Transaction, { workflowIds, names }: ClaimRequest): number | null {
  const rows = (workflowIds ?? []).flatMap((id) => tx.find(id) ?? []);
  const waiting = rows.filter(({ phase, name }) => phase === "waiting" && names.includes(name));
  const times = waiting.flatMap(({ dueAt }) => dueAt !== null && dueAt > tx.now ? dueAt : []);
  return times.length > 0 ? Math.min(...times) - tx.now : null;
}

/** What a claim brings of a workflow and does not change. */
interface Values {
  readonly texts: WorkflowTexts | undefined;
  readonly journal: JournalPage;
  readonly bytes: number;
}

/** Reads the texts of a workflow and the first page of its journal. */
function readValues(tx: Transaction, row: ChangedRow): Values {
  const texts = readTexts(tx, row);
  const input = texts?.input.length ?? 0;
  const room = Math.max(0, ANSWER_BYTES - input);
  const journal = journalPage(tx.database, { workflow: row.number, after: 0, limit: FIRST_PAGE, room });
  const values = journal.entries.reduce((sum, { outcome }) => sum + (outcome.value?.length ?? 0), 0);
  return { texts, journal, bytes: input + (row.problem?.length ?? 0) + values };
}

function toClaimed(tx: Transaction, row: ChangedRow, { texts, journal }: Values = readValues(tx, row)): Claimed {
  const workflow = readRecord(tx, row, texts);
  return { workflow, epoch: row.epoch, now: tx.now, journal, open: openEntries(tx, row) };
}
