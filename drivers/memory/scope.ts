/**
 * What the operations of one commit share.
 *
 * @module
 */

import type { Operation, Outcome } from "../../core/driver/driver.ts";
import type { Entry, WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

/** What the operations of one commit share. */
export interface CommitScope {
  readonly store: MemoryStore;
  readonly row: WorkflowRow;
  /**
   * Whether the commit was made before. Then nothing is written, and an open wait does not look
   * again.
   */
  readonly repeated: boolean;
  readonly woken: Set<string>;
}

/** An entry that is not in the journal yet. */
export function newEntry(
  { store }: CommitScope,
  { ageMs = 0 }: Pick<Operation, "ageMs">,
  place: Pick<Entry, "position" | "label" | "deadline">,
): Entry {
  const startedAt = store.now() - ageMs;
  return { ...place, startedAt, endedAt: null, attempts: 0, seq: 0, outcome: null, message: null };
}

/** Gives an entry its outcome and its place in the recorded order. */
export function complete({ store, row }: CommitScope, entry: Entry, outcome: Outcome): void {
  row.entries.set(entry.position, entry);
  row.completed.push(entry);
  entry.seq = row.lastSeq += 1;
  entry.outcome = outcome;
  entry.endedAt = store.now();
  store.progressed(row);
}
