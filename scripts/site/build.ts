/**
 * Builds the site. VitePress comes from npm, with the versions of `tools/package-lock.json`.
 *
 * @module
 */

import { run } from "../command.ts";
import { ROOT } from "../deno.ts";
import { pageOf, toPage } from "./pages.ts";

const TOOLS = new URL("tools/", import.meta.url);

/** Options of {@linkcode buildSite}. */
export interface SiteOptions {
  /** The folder for the site. Everything in it is removed first. */
  readonly outDir: string;
  /** The URL of the repository, to which links to code lead. */
  readonly repository: string | undefined;
}

/**
 * Builds the site into a folder. It needs Node and npm.
 *
 * @throws {Error} If a page has a link to a page that does not exist.
 */
export async function buildSite({ outDir, repository }: SiteOptions): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "parley-site-" });
  try {
    for (const name of ["package.json", "package-lock.json"]) {
      await Deno.copyFile(new URL(name, TOOLS), `${folder}/${name}`);
    }
    await Deno.mkdir(`${folder}/.vitepress`);
    await Deno.copyFile(new URL("config.mjs", TOOLS), `${folder}/.vitepress/config.mjs`);
    await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], folder);
    for await (const path of documents()) {
      const target = `${folder}/${pageOf(path)}`;
      await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
      if (!path.endsWith(".md")) await Deno.copyFile(new URL(path, ROOT), target);
      else await Deno.writeTextFile(target, toPage(path, await Deno.readTextFile(new URL(path, ROOT)), repository));
    }
    await run("npx", ["vitepress", "build", ".", "--outDir", outDir], folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The paths of all files that the site has. */
async function* documents(): AsyncGenerator<string> {
  for (const path of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "drivers/README.md"]) yield path;
  for (const folder of ["docs/", "docs/decisions/", "docs/images/", "docs/benchmarks/"]) {
    for await (const { name, isFile } of Deno.readDir(new URL(folder, ROOT))) {
      if (isFile && pageOf(`${folder}${name}`) !== undefined) yield `${folder}${name}`;
    }
  }
}
