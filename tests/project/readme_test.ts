import assert from "node:assert/strict";
import { read, ROOT } from "./files.ts";

/**
 * A test as the document names it: [file](path): "title". Several titles of one file may follow
 * each other.
 */
const NAMED = /\[[^\]]*\]\(\.\.\/([^)\s]+\.ts)\):((?:,? "[^"]+")+)/g;

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

Deno.test("each guarantee of the README has tests that exist in docs/guarantees.md", () => {
  const [, list = ""] = /\n## Guarantees\n.*?\n- (.*?)\n\n/s.exec(read("README.md")) ?? [];
  const promised = list.split("\n- ").map((item) => item.replaceAll(/\s+/g, " ").replace(/\.$/, ""));
  const [proved = "", open] = read("docs/guarantees.md").split("\n## Not guaranteed\n");
  assert(open);
  const sections = proved.split("\n## ").slice(1).map((section) => section.split("\n"));
  assert.equal(promised.length, 6);
  assert.deepEqual(sections.map(([title]) => title), promised);
  for (const [title = "", ...lines] of sections) {
    // A section may have parts, each with tests of its own.
    const parts = lines.join("\n").split("\n### ").filter((part) => part.trim() !== "");
    for (const part of parts) {
      const tests = namedTests(part);
      assert(tests.length > 0, `${title}: ${part.split("\n")[0]}`);
      assert.deepEqual(tests.filter((it) => !hasTest(it)), [], title);
    }
  }
  assert(!hasTest({ path: "conformance/rules/outside/messages.ts", title: "a null message" }));
});

Deno.test("every local link in the documents leads to a file", () => {
  const dead = documents().flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
      .filter(([, target = ""]) => !exists(new URL(target, new URL(path, ROOT))))
      .map(([, target]) => `${path}: ${target}`)
  );
  assert.deepEqual(dead, []);
});

Deno.test("the README has at most 150 lines, and shows code that runs before line 30", () => {
  const lines = read("README.md").trimEnd().split("\n");
  assert(lines.length <= 150, `${lines.length} lines`);
  const start = lines.indexOf("```ts ignore");
  const end = lines.indexOf("```", start);
  assert(start > 0 && end < 30, `the first example ends at line ${end + 1}`);
  assert(end - start - 1 <= 15, `the first example has ${end - start - 1} lines`);
  // `tests/drivers/sqlite/guide_test.ts` runs it.
  assert.match(lines.slice(start, end).join("\n"), /sqliteDriver/);
});

function documents(): string[] {
  const inFolder = (folder: string) =>
    [...Deno.readDirSync(new URL(folder, ROOT))].filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
      `${folder}${name}`
    );
  const guides = [...inFolder("docs/"), ...inFolder("docs/decisions/")];
  return ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "drivers/README.md", ...guides];
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url) !== undefined;
  } catch {
    return false;
  }
}
