/**
 * URLs, tokens and connection strings, which no error may show.
 *
 * @module
 */

/** Describes a value that may contain a secret, for an error: `a text of 12 characters`. */
export function hiddenValue(value: unknown): string {
  if (typeof value === "string") return `a text of ${value.length} characters`;
  return value === null ? "null" : typeof value;
}
