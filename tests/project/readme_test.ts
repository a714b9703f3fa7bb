import assert from "node:assert/strict";
import { read, ROOT } from "./files.ts";

/**
 * A test as the documents name it: [file](path): "title". Several titles of one file follow each
 * other.
 */
const NAMED = /\[[^\]]*\]\(([^)\s]+\.ts)\):((?:,? "[^"]+")+)/g;

function namedTests(markdown: string): { path: string; title: string }[] {
  return [...markdown.matchAll(NAMED)].flatMap(([, path = "", titles = ""]) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ path, title }))
  );
}

/**
 * Whether a file has the title as a whole string. The placeholders of a template match anything.
 */
function hasTest({ path, title }: { path: string; title: string }): boolean {
  return [...read(path).matchAll(/"((?:[^"\\\n]|\\.)*)"|`([^`]*)`/g)].some(([, text, template]) =>
    text === title || (template !== undefined && toPattern(template).test(title))
  );
}

function toPattern(template: string): RegExp {
  return new RegExp(`^${template.split(/\$\{[^}]*\}/).map((part) => RegExp.escape(part)).join(".+")}$`);
}

Deno.test("every guarantee in the README names tests that exist", () => {
  const [, table = ""] = /\n## Guarantees\n(.*?)\n## /s.exec(read("README.md")) ?? [];
  const rows = table.split("\n").filter((line) => line.startsWith("| ")).slice(2);
  assert(rows.length >= 10, `the table has ${rows.length} rows`);
  assert.deepEqual(rows.filter((row) => namedTests(row).length === 0), []);
  assert.deepEqual(namedTests(table).filter((it) => !hasTest(it)), []);
  assert(!hasTest({ path: "testing/conformance/outside/messages.ts", title: "a null message" }));
});

Deno.test("every local link in the documents leads to a file", () => {
  const dead = documents().flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
      .filter(([, target = ""]) => !exists(new URL(target, new URL(path, ROOT))))
      .map(([, target]) => `${path}: ${target}`)
  );
  assert.deepEqual(dead, []);
});

Deno.test("the README shows code that runs before line 30", () => {
  const lines = read("README.md").split("\n");
  const start = lines.indexOf("```ts");
  const end = lines.indexOf("```", start);
  assert(start > 0 && end < 30, `the first example ends at line ${end + 1}`);
  assert(end - start - 1 <= 15, `the first example has ${end - start - 1} lines`);
});

function documents(): string[] {
  const decisions = [...Deno.readDirSync(new URL("docs/decisions/", ROOT))].map(({ name }) => `docs/decisions/${name}`);
  return ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "drivers/README.md", ...decisions];
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url) !== undefined;
  } catch {
    return false;
  }
}
