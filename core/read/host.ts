/**
 * What reading from outside needs.
 *
 * @module
 */

import type { WaitHost } from "../time/wait.ts";
import type { Values } from "../values/values.ts";
import type { StreamTails } from "./stream_tails.ts";

/** A place to wait, with what decodes values and what readers of one stream share. */
export interface ReadHost extends WaitHost {
  readonly values: Values;
  readonly tails: StreamTails;
}
