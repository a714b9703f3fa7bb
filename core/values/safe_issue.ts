/**
 * What a schema says of a value, without the value.
 *
 * @module
 */

import type { StandardSchemaV1 } from "../standard_schema.ts";

/** An issue as an error carries it. */
export interface SafeIssue {
  /** What is wrong, in the words of the schema. */
  message: string;
  /** Where. */
  path?: PropertyKey[];
}

/** Words for a kind of value: in `expected string, received number` and `Expected string but received undefined` they tell nothing of the value. */
const KINDS = new Set(
  ("undefined null NaN nan string number int boolean bigint symbol object array function date map set record promise file " +
    "Object Array Function Date Map Set RegExp Promise File Blob Uint8Array").split(" "),
);

/**
 * Only message and path, since schema libraries put the value itself beside them; and of the message not what was received: Valibot, ArkType and Zod 3 quote the value,
 * and Zod the names of unknown keys.
 */
export function toSafeIssue(issue: StandardSchemaV1.Issue, value: unknown): SafeIssue {
  // Not `map`, which would make another of ArkType's own arrays.
  const path = issue.path && Array.from(issue.path, (segment) => typeof segment === "object" ? segment.key : segment);
  const message = withoutReceived(String(issue.message));
  return { message: withoutValue(message, valueAt(value, path ?? [])), ...(path && { path }) };
}

function withoutReceived(message: string): string {
  return message
    .replace(/ \(was (?:an? )?([^]*)\)$/, (text, received) => KINDS.has(received) ? text : "")
    .replace(/^(Unrecognized keys?)\b[^]*$/, "$1")
    .replace(/(?:,| but|:) received ([^]*)$/i, (text, received) => KINDS.has(received) ? text : "");
}

/** A message of the schema's author may quote the value in other words. */
function withoutValue(message: string, value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") return message;
  const text = String(value).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text === "" ? message : message.replace(new RegExp(`(?<!\\w)${text}(?!\\w)`, "g"), "…");
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  try {
    return path.reduce<unknown>(
      (holder, key) => holder instanceof Map ? holder.get(key) : Reflect.get(Object(holder), key),
      value,
    );
  } catch {
    return undefined;
  }
}
