/**
 * The host of reads from outside.
 *
 * @module
 */

import type { WaitHost } from "../time/wait.ts";
import type { Values } from "../values/values.ts";
import type { StreamTails } from "./stream_tails.ts";

/** What reads use: the host of waits, the values, and the tails that readers of a stream share. */
export interface ReadHost extends WaitHost {
  readonly values: Values;
  readonly tails: StreamTails;
}
