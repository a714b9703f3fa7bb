/**
 * Quoting for the SQL in this folder. Everything is quoted, because a schema may have any name that
 * Postgres allows.
 *
 * @module
 */

/** A schema's name as SQL writes it. */
export interface SchemaName {
  /** As an identifier, in double quotes. */
  readonly identifier: string;
  /** As a string constant. */
  readonly literal: string;
}

/** Quotes a schema's name for both places where SQL can have it. */
export function schemaName(name: string): SchemaName {
  return { identifier: `"${name.replaceAll('"', '""')}"`, literal: literal(name) };
}

/**
 * Returns a string constant that has the same meaning under each value of
 * `standard_conforming_strings`.
 */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes("\\") ? `E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

/**
 * Returns a dollar-quoted constant. Its tag does not occur in the text, because a schema's name may
 * contain dollar signs.
 */
export function dollarQuoted(text: string): string {
  let tag = "$parley$";
  for (let n = 1; text.includes(tag); n++) tag = `$parley${n}$`;
  return `${tag}${text}${tag}`;
}
