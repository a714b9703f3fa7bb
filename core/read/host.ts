/**
 * The host of reads from outside.
 *
 * @module
 */

import type { Driver, StreamSnapshot } from "../driver/driver.ts";
import type { WaitHost } from "../time/waiter.ts";
import type { Values } from "../values/values.ts";
import type { SharedLooks } from "./shared_looks.ts";
import type { StreamTails } from "./stream_tails.ts";

/** A page of a stream, from a store whose streams may have gaps. */
export interface GappedSnapshot extends StreamSnapshot {
  /** The offset of the first value. Default the offset that was asked for. */
  readonly from?: number;
}

/** What reads use of a store: a driver, or the tables of another library. */
export type ReadDriver =
  & Pick<
    Driver,
    | "readWorkflow"
    | "listWorkflows"
    | "readHistory"
    | "listMessages"
    | "listEvents"
    | "listStreams"
    | "readEvent"
    | "watch"
  >
  & { readStream(...request: Parameters<Driver["readStream"]>): Promise<GappedSnapshot> };

/** Decodes the values of a store. */
export type Decoder = Pick<Values, "decode">;

/** What reads use: the host of waits, the values, what readers share, and the runs here. */
export interface ReadHost extends WaitHost {
  readonly driver: ReadDriver;
  readonly values: Decoder;
  readonly tails: StreamTails;
  readonly looks: SharedLooks;
  readonly runs: {
    /** Whether a run here holds the lease of the workflow, as far as it knows. */
    isHeld(workflowId: string): boolean;
    /** The store's time, in epoch milliseconds, if such a run here knows it. */
    storeTime(workflowId: string): number | undefined;
    /** Whether a run here has just sent the commit that ends the workflow, and has no answer yet. */
    isEnding(workflowId: string): boolean;
  };
}
