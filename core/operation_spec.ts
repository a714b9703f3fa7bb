/**
 * An operation, as the context describes it to the run.
 *
 * @module
 */

import type { Body } from "./commits.ts";
import type { Outcome } from "./driver.ts";

/**
 * Begins an operation: what it does, at once unless the value has to be checked by an asynchronous schema. What it throws is recorded as the refusal.
 *
 * @param open What is known of a step whose tries an earlier run has begun: how many have failed, and how long it is to the next one.
 */
export type Begin = (position: number, open?: { attempts: number; remainingMs: number }) => Body | Promise<Body>;

/** An operation of a workflow's code. */
export interface OperationSpec<T> {
  /** Names it in the journal: what it is, and of which channel or step. */
  label: string;
  /**
   * Takes the caller's values, in the turn of the call. Not called if the outcome is known to be recorded. What it throws is recorded as the
   * refusal.
   */
  take(): Begin;
  /** `true`: it takes its place among the commits when it is done, as a step does; else when it is called. */
  takesTime?: boolean;
  /** `true`: {@linkcode OperationSpec.read} also reads errors. Else an `error` is the refusal of the operation. */
  readsErrors?: boolean;
  /**
   * What follows its outcome before the code gets to know it: an operation at the next position, whose value is then this one's. `isWanted` does not
   * count on a replay: it follows if it has followed before. So its label must be of no other operation: it tells the position of this one.
   */
  follow?(outcome: Outcome, position: number): { spec: OperationSpec<T>; isWanted: boolean } | undefined;
  /** Its value, or throws its error. */
  read(outcome: Outcome): T;
}
