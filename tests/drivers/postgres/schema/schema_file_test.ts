import assert from "node:assert/strict";
import { MIGRATIONS } from "../../../../drivers/postgres/migrations.ts";
import { readSources, SCHEMA_FILE, schemaSql } from "../../../../scripts/schema.ts";
import { read } from "../../../project/files.ts";

const COMMITTED = read(SCHEMA_FILE);

Deno.test("schema.sql is what `deno task schema` writes", async () => {
  assert.equal(COMMITTED === schemaSql(await readSources()), true, "run `deno task schema`, and commit what it writes");
});

Deno.test("schema.sql changes when a comment, a function or a table does", async () => {
  const sources = await readSources();
  const [first, ...rest] = sources;
  const [[name]] = first!.functions as unknown as [[string, unknown]];
  const changed = { ...first!, functions: new Map(first!.functions).set(name, ["Another comment."]) };
  assert.notEqual(schemaSql([changed, ...rest]), COMMITTED);
  for (const part of MIGRATIONS.flat()) {
    assert.notEqual(schemaSql(sources, MIGRATIONS.map((it) => it.filter((other) => other !== part))), COMMITTED);
  }
});

/** What is wrong with the comments of functions in a schema. */
function commentProblems(sql: string): string[] {
  const functions = sql.matchAll(/((?:^--.*\n)*)^create function parley\.(\w+)\([^]*?\$parley\$;$/gm);
  return [...functions].flatMap(([text, comment, name]) => {
    if (comment === "") return [`${name} has no comment`];
    const writes = /^\s*(insert into|update|delete from) /m.test(text);
    return writes && !/\batomic because\b/.test(comment!.replaceAll("\n-- ", " "))
      ? [`${name} is atomic for no reason`]
      : [];
  });
}

Deno.test("schema.sql says of each function what it does, and why it is atomic if it writes", () => {
  assert.deepEqual(commentProblems(COMMITTED), []);
  assert.deepEqual(COMMITTED.split("\n").filter((line) => line.length > 120), []);
});

Deno.test("a function without a comment, and one that is atomic for no reason, are found", () => {
  const without = COMMITTED.replace(/-- `Driver\.purge`[^]*?(?=create function)/, "");
  assert.deepEqual(commentProblems(without), ["purge_v1 has no comment"]);
  const unexplained = COMMITTED.replace(/(-- `Driver\.send`[^]*?) atomic because /, "$1 good because ");
  assert.deepEqual(commentProblems(unexplained), ["send_v1 is atomic for no reason"]);
});
