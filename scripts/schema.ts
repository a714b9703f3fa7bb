/**
 * `deno task schema`: writes `drivers/postgres/schema.sql` from the sources in
 * `drivers/postgres/sql/`.
 *
 * The comments in it are the doc comments of those sources. They are read from there and not given
 * to the functions that make SQL, because a Worker would have to load them.
 *
 * @module
 */

import { type Migration, MIGRATIONS } from "../drivers/postgres/migrations.ts";
import { schemaName } from "../drivers/postgres/sql/schema_name.ts";
import { helper } from "../drivers/postgres/sql/sql_function.ts";
import { ledger } from "../drivers/postgres/sql/tables.ts";
import { ROOT } from "./deno.ts";

/** Where the schema is committed, from the root. */
export const SCHEMA_FILE = "drivers/postgres/schema.sql";

const SOURCES = "drivers/postgres/sql/";

/** The name that the driver uses by default. It needs no quotes. */
const PARLEY = { ...schemaName("parley"), identifier: "parley" };

/** A line that begins and ends a heading. */
const RULE = `-- ${"-".repeat(97)}`;

const HEAD = `-- The schema of Parley for PostgreSQL 14 and later.
--
-- Generated from ${SOURCES} by \`deno task schema\`. Edit the sources and not this
-- file. A test checks that it is up to date.
--
-- The driver creates all of this at its first call. You can also create it by hand, for example
-- with a role that has more rights:
--
--     psql --file schema.sql
--
-- It is one transaction. It needs a database with the encoding UTF8, without a schema "parley". The
-- driver then finds that nothing is missing. Its role needs usage on the schema, and select,
-- insert, update and delete on the tables. For a schema of another name, call migrate() of the
-- driver.

begin;

create schema parley;

`;

/** The text of a doc comment, in lines. */
export type Comment = readonly string[];

/** The doc comments of one source. */
export interface Source {
  readonly module: Comment;
  /** By the names of functions. */
  readonly functions: ReadonlyMap<string, Comment>;
}

/**
 * Makes the text of `schema.sql`.
 *
 * @param sources The doc comments that become its comments.
 * @param migrations What it creates.
 */
export function schemaSql(sources: readonly Source[], migrations: readonly Migration[] = MIGRATIONS): string {
  const parts = [ledger, ...migrations.flat()];
  let last: Source | undefined;
  const sections = parts.map((part) => {
    const source = sourceOf(part, sources);
    const heading = source === last ? "" : toHeading(source.module);
    last = source;
    return `${heading}${toSql(source.functions.get(part.name) ?? [])}${part(PARLEY)}\n`;
  });
  const versions = migrations.map((_, index) => `(${index + 1})`).join(", ");
  return `${HEAD}${toHeading(sourceOf(helper, sources).module)}${sections.join("")}${RULE}
insert into parley.migrations (version) values ${versions};

commit;
`;
}

function sourceOf(part: { name: string }, sources: readonly Source[]): Source {
  const found = sources.filter(({ functions }) => functions.has(part.name));
  if (found.length === 1) return found[0]!;
  throw new Error(
    `The function ${part.name} has a doc comment in ${found.length} files of ${SOURCES}; it must be in one`,
  );
}

/** Reads the doc comments of all sources. */
export async function readSources(folder: string = SOURCES): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) sources.push(...await readSources(`${folder}${name}/`));
    else sources.push(readComments(await Deno.readTextFile(new URL(folder + name, ROOT))));
  }
  return sources;
}

/** A doc comment, and the name of the function that it belongs to. */
const DOC = /^\/\*\*((?:(?!\*\/)[^])*)\*\/(?:\n(?:export )?function (\w+))?/gm;

/** Reads the doc comments of a file's functions, and that of its module. */
function readComments(text: string): Source {
  const docs = [...text.matchAll(DOC)].map(([, doc, name]) => ({ name, doc: toLines(doc!) }));
  const module = docs.find(({ doc }) => doc.includes("@module"))?.doc ?? [];
  return {
    // The line before the tag is empty.
    module: module.slice(0, module.indexOf("@module") - 1),
    functions: new Map(docs.flatMap(({ name, doc }) => name === undefined ? [] : [[name, doc] as const])),
  };
}

function toLines(doc: string): Comment {
  const lines = doc.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  return lines.join("\n").trim().replaceAll(/\{@linkcode (\w+)\}/g, "$1").split("\n");
}

function toSql(comment: Comment): string {
  return comment.map((line) => `-- ${line}`.trimEnd() + "\n").join("");
}

function toHeading(comment: Comment): string {
  return `${RULE}\n${toSql(comment)}${RULE}\n\n`;
}

if (import.meta.main) await Deno.writeTextFile(new URL(SCHEMA_FILE, ROOT), schemaSql(await readSources()));
