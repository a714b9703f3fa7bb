/**
 * The interface between the operations of a run and the run.
 *
 * @module
 */

import type { CancelWatch } from "./waits/cancel_watch.ts";
import type { Commits } from "./journal/commits.ts";
import type { Difference, Journal } from "./journal/journal.ts";
import type { OpenWaits } from "./waits/open_waits.ts";
import type { RunObservation } from "../observe/run_observation.ts";
import type { RunHost } from "./host.ts";

/** What the operations need from their run. */
export interface CallsOptions {
  readonly host: RunHost;
  /** Tells the observer, if there is one. */
  readonly observed: RunObservation | undefined;
  readonly journal: Journal;
  readonly commits: Commits;
  readonly waits: OpenWaits;
  readonly cancels: CancelWatch;
  /**
   * The end of the run, once it is over. A later operation gets the error, or no answer at all if
   * the error is `null`.
   */
  over(): { error: Error | null } | undefined;
  /**
   * Whether no operation may begin any more. When the code has returned, this stays `false` until
   * the operations that it called before have begun.
   */
  isOver(): boolean;
  /** Whether the running code belongs to a step of this run. */
  isInStep(): boolean;
  /** Whether new operations are left to the next run. */
  isHandingOver(): boolean;
  /** Whether the run is releasing its workflow at the moment. */
  isReleasing(): boolean;
  /** Tells the run that something changed. */
  update(): void;
  /**
   * Decodes a stored text.
   *
   * @throws {Undecodable} If it cannot be decoded here.
   */
  decode(text: string): unknown;
  /** Ends the run because code and journal differ. */
  diverge(difference: Difference): void;
  /** Ends the run because the code cannot continue with the stored data. */
  park(problem: unknown): void;
  /** Ends the run because the journal cannot be read. */
  fail(error: unknown): void;
  /**
   * Called for each operation that gets no answer. A run that was lost or cancelled then ends
   * without waiting for its code.
   */
  giveUp(): void;
}
