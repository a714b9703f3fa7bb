/**
 * Removes the value from the issues that a schema reports about it.
 *
 * @module
 */

import { HIDDEN, isFieldName, KINDS, partOf, Quotes } from "./quotes.ts";
import { quote } from "../errors/parley_error.ts";
import type { StandardSchemaV1 } from "../standard_schema.ts";

/** An issue of a schema that may be shown. */
export interface SafeIssue {
  /** What is wrong, in the schema's words. */
  message: string;
  /** The place in the value. */
  path?: PropertyKey[];
}

/** The most issues of a value that are kept. */
const MAX_ISSUES = 1_000;

/** The most issues that a message shows. */
const MAX_SHOWN_ISSUES = 5;

/** Messages of Valibot and ArkType about a key that the schema does not know, so that it may be data. */
const UNKNOWN_KEY = /^Invalid key: Expected never\b|\bmust be removed$/;

/**
 * Keeps the messages and paths of issues, without the value. It keeps the first 1,000 issues.
 *
 * Schema libraries may put the value itself into an issue. Valibot, ArkType and Zod 3 quote the
 * value in the part of the message about what was received. Zod, Valibot and ArkType quote unknown
 * keys. The author of a schema may quote any part of the value in any words. So the parts of the
 * value are removed from the messages, as {@linkcode Quotes} says. An author who shows a value in
 * another form still reveals it.
 */
export function toSafeIssues(issues: readonly StandardSchemaV1.Issue[], value: unknown): SafeIssue[] {
  const quotes = new Quotes(value);
  return issues.slice(0, MAX_ISSUES).map((issue) => {
    const message = withoutReceived(String(issue.message));
    // Not `map`, because ArkType's path is an array class of its own, and `map` would create another.
    const keys = issue.path && Array.from(issue.path, keyOf);
    const path = keys && safePath(keys, value, UNKNOWN_KEY.test(message));
    const hidden = keys?.filter((key, index) => path![index] !== key) ?? [];
    return { message: quotes.remove(message, hidden.map(String)), ...(path && { path }) };
  });
}

/** Describes issues for a message, as in `at amount ("Invalid type: Expected number")`. */
export function describeIssues(issues: readonly SafeIssue[]): string {
  const described = issues.map(({ message, path = [] }) => {
    const place = path.map(shown).join(".");
    const words = message.startsWith(`${place} `) ? message.slice(place.length + 1) : message;
    return [place && `at ${place}`, words && `(${quote(words.replace(/\s+/g, " "))})`].filter(Boolean).join(" ");
  });
  const known = [...new Set(described)].filter(Boolean);
  const more = known.length > MAX_SHOWN_ISSUES ? `, and ${known.length - MAX_SHOWN_ISSUES} more` : "";
  return known.slice(0, MAX_SHOWN_ISSUES).join(", ") + more;
}

function keyOf(segment: PropertyKey | { readonly key: PropertyKey }): PropertyKey {
  return typeof segment === "object" ? segment.key : segment;
}

/** Hides the keys of maps, and an unknown key at the end. */
function safePath(path: PropertyKey[], value: unknown, endsUnknown: boolean): PropertyKey[] {
  let holder: unknown = value;
  return path.map((key, index) => {
    const isMap = holder instanceof Map;
    holder = partOf(holder, key);
    return isMap || (endsUnknown && index === path.length - 1) ? HIDDEN : key;
  });
}

/**
 * Returns a segment of a path, as a message shows it. A segment that does not look like a field's
 * name is hidden. It may be data, such as the key of a record.
 */
function shown(segment: PropertyKey): string {
  return isFieldName(segment) ? String(segment) : HIDDEN;
}

function withoutReceived(message: string): string {
  return message
    .replace(/ \(was (?:an? )?([^]*)\)$/, (text, received) => KINDS.has(received) ? text : "")
    .replace(/^(Unrecognized keys?)\b[^]*$/, "$1")
    .replace(/(?:,| but|:) received ([^]*)$/i, (text, received) => KINDS.has(received) ? text : "");
}
