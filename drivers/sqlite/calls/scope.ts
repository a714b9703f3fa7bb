/**
 * What the operations of one commit share.
 *
 * @module
 */

import type { Entry } from "./journal.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** What the operations of one commit share. */
export interface CommitScope {
  readonly tx: Transaction;
  readonly row: ChangedRow;
  /** Whether the commit was made before. Then nothing is written, and an open wait does not look again. */
  readonly repeated: boolean;
  readonly woken: Set<string>;
  /** The entries at the positions of the commit. */
  readonly entries: Map<number, Entry>;
}
