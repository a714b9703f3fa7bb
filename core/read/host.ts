/**
 * The host of reads from outside.
 *
 * @module
 */

import type { WaitHost } from "../time/waiter.ts";
import type { Values } from "../values/values.ts";
import type { SharedLooks } from "./shared_looks.ts";
import type { StreamTails } from "./stream_tails.ts";

/** What reads use: the host of waits, the values, what readers share, and the runs here. */
export interface ReadHost extends WaitHost {
  readonly values: Values;
  readonly tails: StreamTails;
  readonly looks: SharedLooks;
  readonly runs: {
    /** Whether a run here holds the lease of the workflow, as far as it knows. */
    isHeld(workflowId: string): boolean;
    /** Whether a run here has just sent the commit that ends the workflow, and has no answer yet. */
    isEnding(workflowId: string): boolean;
  };
}
