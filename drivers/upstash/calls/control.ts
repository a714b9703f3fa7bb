/**
 * `Driver.control`.
 *
 * @module
 */

import type { ControlResult, Driver } from "../../../core/driver/driver.ts";
import type { ScriptCalls } from "../script_calls.ts";

/** How many children one request keeps. */
const MAX_KEPT = 100;

/**
 * `Driver.control`. Children of a workflow that is resumed may have begun to expire at its end.
 * Requests of their own undo that, because only those can declare the children's keys. If one
 * fails, so does the call, and a repeat makes them again.
 */
export async function control(
  { call, keys }: ScriptCalls,
  request: Parameters<Driver["control"]>[0],
): Promise<ControlResult> {
  const { started = [], ...result } = await call<ControlResult & { started?: readonly string[] }>(
    "control",
    keys.ofAll([request.workflowId]),
    request,
  );
  for (let from = 0; from < started.length; from += MAX_KEPT) {
    const workflowIds = started.slice(from, from + MAX_KEPT);
    await call("keep", keys.ofAll(workflowIds), { workflowIds });
  }
  return result;
}
