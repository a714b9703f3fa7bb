/**
 * `Driver.control`.
 *
 * @module
 */

import type { ControlResult, Driver } from "../../../core/driver/driver.ts";
import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";

/** How many children one request keeps. */
const MAX_KEPT = 100;

/**
 * `Driver.control`. Children of a workflow that is resumed may have begun to expire at its end.
 * Requests of their own undo that, because only those can declare the children's keys. If one
 * fails, so does the call, and a repeat makes them again.
 */
export async function control(calls: ScriptCalls, request: Parameters<Driver["control"]>[0]): Promise<ControlResult> {
  const { call, keys } = calls;
  const own = keys.of(request.workflowId, ...OWN_KINDS);
  const { started = [], ...result } = await call<ControlResult & { started?: readonly string[] }>(
    "control",
    [...keys.shared, ...own],
    request,
  );
  for (let from = 0; from < started.length; from += MAX_KEPT) {
    const workflowIds = started.slice(from, from + MAX_KEPT);
    await call("keep", [...keys.shared, ...workflowIds.flatMap((id) => keys.of(id, ...OWN_KINDS))], { workflowIds });
  }
  return result;
}
