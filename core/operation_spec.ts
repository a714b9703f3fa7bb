/**
 * An operation, as the context describes it to the run.
 *
 * @module
 */

import type { Body } from "./commits.ts";
import type { Outcome } from "./driver.ts";

/** An operation of a workflow's code. */
export interface OperationSpec<T> {
  /** Names it in the journal: what it is, and of which channel or step. */
  label: string;
  /** Begins it. Only called if it has no recorded outcome. */
  begin(position: number): Body | Promise<Body>;
  /** `true`: it takes its place among the commits when it is done, as a step does; else when it is called. */
  takesTime?: boolean;
  /** Its value, or throws its error. */
  read(outcome: Outcome): T;
}
