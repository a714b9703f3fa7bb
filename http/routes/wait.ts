/**
 * How long a request waits for what is not there yet.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";

/** The parameter `wait`. */
export const Wait: v.GenericSchema<unknown, Duration | undefined> = v.optional(v.pipe(
  v.string(),
  v.regex(/^\d{1,9}(\.\d{1,9})?(ms|s|m|h)$/, "It must be a number with ms, s, m or h, as in 30s"),
  v.description("How long to wait for what is not there yet, as in 30s; the server may wait less. Default not at all."),
  v.transform((text) => text as Duration),
)) as v.GenericSchema<unknown, Duration | undefined>;

/** By the parameter `wait`, else by the header `Prefer: wait=30` (RFC 7240), in seconds; at most as long as the server waits. */
export function waitMs(c: Context, wait: Duration | undefined, maxWaitMs: number): number {
  if (wait !== undefined) return Math.min(toMilliseconds(wait, "wait"), maxWaitMs);
  const preferred = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})/i.exec(c.req.header("prefer") ?? "")?.[1];
  return Math.min(Number(preferred ?? 0) * 1_000, maxWaitMs);
}
