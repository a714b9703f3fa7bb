/**
 * Removes the value from the issues that a schema reports about it.
 *
 * @module
 */

import type { StandardSchemaV1 } from "../standard_schema.ts";

/** An issue of a schema that may be shown. */
export interface SafeIssue {
  /** What is wrong, in the schema's words. */
  message: string;
  /** The place in the value. */
  path?: PropertyKey[];
}

/**
 * Words for a kind of value, which reveal nothing of the value. Examples are `number` in
 * `expected string, received number` and `undefined` in `Expected string but received undefined`.
 */
const KINDS = new Set(
  ("undefined null NaN nan string number int boolean bigint symbol object array function date map set record promise " +
    "file " +
    "Object Array Function Date Map Set RegExp Promise File Blob Uint8Array").split(" "),
);

/**
 * Keeps the message and the path of an issue, without the value.
 *
 * Schema libraries may put the value itself into the issue. Valibot, ArkType and Zod 3 quote the
 * value in the part of the message about what was received. Zod also quotes names of unknown keys.
 */
export function toSafeIssue(issue: StandardSchemaV1.Issue, value: unknown): SafeIssue {
  // Not `map`, because ArkType's path is an array class of its own, and `map` would create another.
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

/** Removes the value from a message. The author of a schema may quote it in any words. */
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
