/**
 * The names of schemas, and quoting for SQL. Everything is quoted, because a schema may have any
 * name that Postgres allows.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";

/** A schema's name as SQL writes it. */
export interface SchemaName {
  /** As an identifier, in double quotes. */
  readonly identifier: string;
  /** As a string constant. */
  readonly literal: string;
  /** The channel of its hints, which needs no quotes. */
  readonly channel: string;
}

/**
 * Checks a schema's name. Postgres cuts longer names off, so two of them could mean one schema.
 *
 * @throws {ValidationError} If Postgres cannot have a schema of that name.
 */
export function checkSchemaName(schema: string): void {
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes >= 1 && bytes <= 63 && schema.isWellFormed() && !schema.includes("\0") && !schema.startsWith("pg_")) return;
  throw new ValidationError(
    `Using the schema ${JSON.stringify(schema)}: its name must have 1 to 63 bytes, no NUL, and not begin with "pg_"`,
  );
}

/** Quotes a schema's name for both places where SQL can have it. */
export function schemaName(name: string): SchemaName {
  return { identifier: `"${name.replaceAll('"', '""')}"`, literal: literal(name), channel: channelOf(name) };
}

/**
 * Returns a schema's own channel. It has a hash of the name. The name of a schema may be as long as
 * that of a channel, which leaves no room for a prefix.
 */
function channelOf(name: string): string {
  return `parley_${hashOf(name)}`;
}

/** Returns a hash of a text (64-bit FNV-1a), in hexadecimal digits. */
export function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16);
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
