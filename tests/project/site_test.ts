import assert from "node:assert/strict";
import { pageOf, toPage } from "../../scripts/site/pages.ts";
import { read } from "./files.ts";

Deno.test("the pages of the site link to each other, and to the repository for all else", () => {
  const text = [
    "[a](docs/http.md#waiting) ![b](docs/images/c.webp) [d](core/parley.ts) [e](https://e.example) [f](#g)",
    '<img src="docs/images/c.webp">',
    "```md\n[h](docs/http.md)\n```",
    "",
  ].join("\n");
  assert.equal(
    toPage("README.md", text, "https://r.example"),
    [
      "[a](./http.md#waiting) ![b](./images/c.webp) [d](https://r.example/blob/main/core/parley.ts) " +
      "[e](https://e.example) [f](#g)",
      '<img src="./images/c.webp">',
      "```md\n[h](docs/http.md)\n```",
      "",
    ].join("\n"),
  );
  const decision = "[a](../http.md) [b](../../README.md) [c](../../core/parley.ts)";
  assert.equal(toPage("docs/decisions/d.md", decision, undefined), "[a](../http.md) [b](../index.md) c");
});

Deno.test("every guide is in the sidebar of the site, and nothing else is", () => {
  const config = read("scripts/site/tools/config.mjs");
  const listed = [...config.matchAll(/page\("[^"]*", "([^"]*)"\)/g)].map(([, link]) => `${link || "index"}.md`);
  const guides = [...Deno.readDirSync("docs")].map(({ name }) => pageOf(`docs/${name}`)).filter((it) =>
    it?.endsWith(".md")
  );
  assert.deepEqual(
    listed.toSorted(),
    [...guides, "index.md", "changelog.md", "contributing.md", "drivers.md"].toSorted(),
  );
});

Deno.test("every link to a heading of a guide leads to one", () => {
  const anchorsOf = (path: string) => {
    const headings = [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    );
    return new Set(headings);
  };
  const guides = [...Deno.readDirSync("docs")].filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
    `docs/${name}`
  );
  const dead = ["README.md", ...guides].flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)\s:]*)#([^)\s]+)\)/g)].flatMap(([link, file = "", anchor = ""]) => {
      const target = file === "" ? path : new URL(file, `file:///${path}`).pathname.slice(1);
      return target.endsWith(".md") && !anchorsOf(target).has(anchor) ? [`${path}: ${link}`] : [];
    })
  );
  assert.deepEqual(dead, []);
});
