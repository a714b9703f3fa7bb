/**
 * What the operations of one commit share.
 *
 * @module
 */

import type { Entry } from "./journal.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** What an effect needs that changes nothing in the row of its workflow. */
export interface EffectScope {
  readonly tx: Transaction;
  readonly workflowId: string;
  /** The number of the workflow. */
  readonly workflow: number;
  /** The IDs of workflows that the commit makes due. */
  readonly woken: Set<string>;
}

/** What the operations of one commit share. */
export interface CommitScope extends EffectScope {
  readonly row: ChangedRow;
  /** Whether the commit was made before. Then nothing is written, and an open wait does not look again. */
  readonly repeated: boolean;
  /** The entries at the positions of the commit. */
  readonly entries: Map<number, Entry>;
}
