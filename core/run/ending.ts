/**
 * How a run ends its workflow, after the code has returned or thrown.
 *
 * @module
 */

import type { Transition } from "../driver/driver.ts";
import type { Values } from "../values/values.ts";

/** The end of a workflow whose code has returned. It fails if the value cannot be encoded. */
export function toSuccess(values: Values, value: unknown, toFailure: (error: unknown) => Transition): Transition {
  try {
    return { to: "end", status: "SUCCESS", output: values.encode(value, "workflow's output"), error: null };
  } catch (error) {
    return toFailure(error);
  }
}

/**
 * The end of a workflow whose code has thrown.
 *
 * @param position That of the operation whose recorded error it has thrown, if it is one.
 */
export function toFailure(values: Values, error: unknown, position: number | undefined): Transition {
  const failed = position !== undefined && { failedPosition: position };
  return { to: "end", status: "ERROR", output: null, error: values.encodeError(error), ...failed };
}
