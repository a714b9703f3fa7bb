/**
 * The driver's schema: numbered migrations, forward only. `schema.sql` shows the result, and
 * `deno task schema` generates it.
 *
 * During a deploy, isolates with old and new code share a schema. So a migration only adds. A
 * function is never changed in place, so a new meaning gets a new name (`commit_v2`). A new column
 * has a default. A migration of a later release may remove what no code calls any more.
 *
 * @module
 */

import { claimSql } from "./sql/claim/claim.ts";
import { commitSql } from "./sql/commit/commit.ts";
import { controlSql } from "./sql/control/control.ts";
import { createSql } from "./sql/create.ts";
import { pushSql } from "./sql/push.ts";
import { readSql } from "./sql/read/read.ts";
import { dollarQuoted, literal, schemaName } from "./sql/schema_name.ts";
import { sendSql } from "./sql/send.ts";
import { shortSql } from "./sql/short/mod.ts";
import { sizesSql } from "./sql/sizes.ts";
import { CHECK_ISOLATION, slotsSql } from "./sql/slots.ts";
import type { SqlPart } from "./sql/sql_function.ts";
import { ledger, tablesSql } from "./sql/tables.ts";
import { valuesSql } from "./sql/values.ts";

/** What one migration creates, in this order. */
export type Migration = readonly SqlPart[];

/** Migration `n` is at index `n - 1`. A released migration is never changed. */
export const MIGRATIONS: readonly Migration[] = [
  tablesSql,
  [slotsSql, sizesSql, valuesSql, createSql, sendSql, commitSql, shortSql, claimSql, controlSql, readSql, pushSql]
    .flat(),
];

/**
 * Returns one statement that brings a schema up to date, whatever it contains.
 *
 * It is atomic. Several executions at once follow each other under an advisory lock, and the later
 * ones find nothing to do. It creates only what is missing. So a role that may not create schemas
 * can migrate a schema that was made for it. A role that may create nothing can run it on a
 * complete schema.
 *
 * @param schema The schema's name, unquoted.
 * @param migrations The migrations to apply; a prefix of {@linkcode MIGRATIONS} in tests.
 */
export function migrateStatement(schema: string, migrations: readonly Migration[] = MIGRATIONS): string {
  const name = schemaName(schema);
  const applied = `${name.identifier}.migrations`;
  const steps = migrations.map((migration, index) =>
    step(applied, index + 1, migration.map((part) => part(name)).join(""))
  );
  return `do ${
    dollarQuoted(`
begin${CHECK_ISOLATION}  perform pg_advisory_xact_lock(hashtextextended(${name.literal}, 0));
  if to_regnamespace(${literal(name.identifier)}) is null then
    create schema ${name.identifier};
  end if;
  if to_regclass(${literal(applied)}) is null then
    ${ledger(name)}  end if;
${steps.join("")}end;
`)
  }`;
}

function step(applied: string, version: number, sql: string): string {
  return `  if not exists (select from ${applied} where version = ${version}) then
    execute ${dollarQuoted(sql)};
    insert into ${applied} (version) values (${version});
  end if;
`;
}
