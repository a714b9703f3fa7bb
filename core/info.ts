/**
 * A workflow's row, as people see it.
 *
 * @module
 */

import type { WorkflowInfo } from "./client.ts";
import type { ListedWorkflow } from "./driver.ts";
import { type SerializedError, serializeError } from "./serialized_error.ts";
import type { Values } from "./values.ts";

/** Decodes what the store knows of a workflow. */
export function toInfo(record: ListedWorkflow, values: Values): WorkflowInfo {
  const { workflowId, name, status, waiting, input, output, error, createdAt, updatedAt, recoveryAttempts } = record;
  return {
    workflowId,
    name,
    status,
    ...(waiting && { waiting: { operations: waiting.operations, ...(waiting.until !== null && { until: waiting.until }) } }),
    input: input === null ? undefined : values.decode(input),
    ...(output !== null && { output: values.decode(output) }),
    ...(error !== null && { error: toSerialized(values.decode(error)) }),
    createdAt,
    updatedAt,
    recoveryAttempts,
  };
}

/** A workflow may throw anything; what is no error is shown as the message of one. */
function toSerialized(thrown: unknown): SerializedError {
  if (thrown instanceof Error) return serializeError(thrown);
  return { name: "Error", message: typeof thrown === "object" && thrown !== null ? "A thrown object" : String(thrown) };
}
