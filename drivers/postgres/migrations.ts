/**
 * What the driver creates in a database: numbered migrations, forward only.
 *
 * During a deploy isolates of the old and the new code run side by side on one schema. So a migration only adds: what a function does is
 * never changed in place, a new meaning gets a new name (`commit_v2`), and a column that is added has a default. What is no
 * longer called may go in a migration of a later release.
 *
 * @module
 */

import { claim } from "./sql/claim.ts";
import { commit } from "./sql/commit.ts";
import { repeatCommit } from "./sql/repeat_commit.ts";
import { commitParts } from "./sql/commit_parts.ts";
import { control } from "./sql/control.ts";
import { create } from "./sql/create.ts";
import { dollarQuoted, literal, type SchemaName, schemaName } from "./sql/names.ts";
import { push } from "./sql/push.ts";
import { read } from "./sql/read.ts";
import { send } from "./sql/send.ts";
import { sizes } from "./sql/sizes.ts";
import { CHECK_ISOLATION, slots } from "./sql/slots.ts";
import { tables } from "./sql/tables.ts";
import { values } from "./sql/values.ts";

/** The SQL of one migration, for a schema. */
export type Migration = (schema: SchemaName) => string;

/** Migration `n` is at index `n - 1`. Those that were released are never changed. */
export const MIGRATIONS: readonly Migration[] = [
  tables,
  (schema) =>
    [slots, sizes, values, create, send, commitParts, repeatCommit, commit, claim, control, read, push].map((part) =>
      part(schema)
    ).join(""),
];

/**
 * One statement that brings a schema up to date, whatever it has.
 *
 * It is atomic. Several at once follow each other under an advisory lock, and find nothing left to do. It creates only
 * what is missing, so a role that may not create schemas can migrate one that was made for it, and a role that may create nothing can
 * run it where everything is there.
 *
 * @param schema The schema's name, unquoted.
 * @param migrations Those to apply; a prefix of {@linkcode MIGRATIONS} in tests.
 */
export function migrateStatement(schema: string, migrations: readonly Migration[] = MIGRATIONS): string {
  const name = schemaName(schema);
  const ledger = `${name.identifier}.migrations`;
  const steps = migrations.map((migration, index) => step(ledger, index + 1, migration(name)));
  return `do ${
    dollarQuoted(`
begin${CHECK_ISOLATION}  perform pg_advisory_xact_lock(hashtextextended(${name.literal}, 0));
  if to_regnamespace(${literal(name.identifier)}) is null then
    create schema ${name.identifier};
  end if;
  if to_regclass(${literal(ledger)}) is null then
    create table ${ledger} (version integer primary key, applied_at timestamptz not null default clock_timestamp());
  end if;
${steps.join("")}end;
`)
  }`;
}

function step(ledger: string, version: number, sql: string): string {
  return `  if not exists (select from ${ledger} where version = ${version}) then
    execute ${dollarQuoted(sql)};
    insert into ${ledger} (version) values (${version});
  end if;
`;
}
