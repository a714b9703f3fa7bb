/**
 * A workflow's row, as people see it.
 *
 * @module
 */

import type { WorkflowInfo } from "../client.ts";
import type { ListedWorkflow } from "../driver/driver.ts";
import { type SerializedError, serializeError } from "../values/serialized_error.ts";
import type { Values } from "../values/values.ts";

type ValueName = NonNullable<WorkflowInfo["unreadable"]>[number];

/** Decodes what the store knows of a workflow. A value that cannot be decoded here is named in `unreadable`, so that one row never fails a page. */
export function toInfo(record: ListedWorkflow, values: Values): WorkflowInfo {
  const { workflowId, name, status, waiting, createdAt, updatedAt, recoveryAttempts } = record;
  const unreadable: ValueName[] = [];
  const read = <Field extends ValueName>(field: Field, show: (value: unknown) => WorkflowInfo[Field]) => {
    const info: Partial<Pick<WorkflowInfo, Field>> = {};
    const text = record[field];
    if (text === null) return info;
    try {
      info[field] = show(values.decode(text));
    } catch {
      unreadable.push(field);
    }
    return info;
  };
  return {
    workflowId,
    name,
    status,
    ...(waiting &&
      { waiting: { operations: waiting.operations, ...(waiting.until !== null && { until: waiting.until }) } }),
    ...read("input", (value) => value),
    ...read("output", (value) => value),
    ...read("error", toSerialized),
    ...read("problem", toSerialized),
    ...(unreadable.length > 0 && { unreadable }),
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
