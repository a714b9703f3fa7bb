/**
 * Finds which table, column or constraint an error of PostgreSQL is about.
 *
 * @module
 */

import { textMember } from "../foreign_error.ts";

/**
 * Members of an error that name a part of the schema. postgres.js calls them `table_name` and so
 * on, and all other clients `table`.
 */
const PARTS = ["constraint", "column", "table"] as const;

/**
 * Texts of the server that name a part. Prisma's adapter and ts-postgres keep only the text. These
 * texts quote names and no data, and in other languages they do not match.
 */
const TEXTS: Readonly<Record<typeof PARTS[number], RegExp>> = {
  constraint: /\bviolates [a-z ]*constraint "([^"]+)"/,
  column: /^null value in column "([^"]+)"/,
  table: /^[^"]*\b(?:relation|table) "([^"]+)"|^null value in column "[^"]+" of relation "([^"]+)"/,
};

/** A name that cannot be data. Names of other forms are not shown. */
const NAME = /^[\p{L}_][\p{L}\p{N}_$]{0,62}$/u;

/** SQLSTATEs of constraints. The texts of other errors may have anything. */
const OF_CONSTRAINT = /^23/;

/**
 * Describes the part, as in `column "input" of table "workflows"`. Returns `null` if nothing is
 * known.
 *
 * @param state The SQLSTATE.
 * @param holder The object that has the SQLSTATE.
 * @param text The server's text.
 */
export function describeViolation(state: string, holder: unknown, text: string | null): string | null {
  const [constraint, column, table] = PARTS.map((part) => {
    const found = textMember(holder, part) ?? textMember(holder, `${part}_name`) ??
      (OF_CONSTRAINT.test(state) ? TEXTS[part].exec(text ?? "")?.slice(1).find((it) => it !== undefined) : undefined);
    return found !== undefined && NAME.test(found) ? `${part} "${found}"` : undefined;
  });
  const parts = [constraint, column].filter((it) => it !== undefined).join(", ");
  if (table === undefined) return parts || null;
  return parts ? `${parts} of ${table}` : table;
}
