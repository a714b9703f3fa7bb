/**
 * The interface that claims, wakes, sweeps and workers need from their runner.
 *
 * @module
 */

import type { ClaimedRun, RunHost } from "../run/host.ts";
import type { RunEnd } from "../observer.ts";
import type { Runs } from "./runs.ts";
import type { Schedules } from "./schedules.ts";
import type { Slot } from "./slots.ts";

/** A runner, as its parts see it. */
export interface RunnerHost extends RunHost {
  readonly runs: Runs;
  readonly schedules: Schedules;
  /** Whether the runner claims nothing more, because it closes or has no requests left. */
  readonly over: boolean;
  /** Runs a claimed workflow. Never rejects. */
  run(claimed: ClaimedRun, slot?: Slot): Promise<RunEnd>;
  /** Keeps the isolate alive for work that no caller awaits. The work must not reject. */
  track(work: Promise<unknown>): void;
}
