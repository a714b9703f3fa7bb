/**
 * Builds the npm package: the entry points of `deno.json` as ES modules with types.
 *
 * tsdown bundles each entry point once and shares what several need, so that a class is one class in
 * all of them. tsdown and TypeScript come from npm, with the versions of `tools/package-lock.json`.
 *
 * @module
 */

import { run } from "../command.ts";
import { ROOT } from "../deno.ts";
import { BIN, fileOf, manifest, type PackageConfig, packageOf } from "./manifest.ts";

/** What the package contains beside the built files. */
const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE"];

/** Packages that are bundled, with their licenses; see `tools/bundle.mjs`. */
const BUNDLED = ["eventsource-parser"];

const TOOLS = new URL("tools/", import.meta.url);
const TOOL_FILES = ["package.json", "package-lock.json", "bundle.mjs"];

/** Imports of packages and of a platform's own modules in built files, types included. */
const IMPORTS = /^(?:import|export)\b[^"'`;]*?["']([^."'][^"']*)["'];?$|\bimport\("([^."][^"]*)"\)/gm;

/** The program of the package: the command line, run by Node. */
const PROGRAM = `#!/usr/bin/env node
import process from "node:process";
import { runCli } from "./cli.js";

process.exit(await runCli(process.argv.slice(2)));
`;

/** Options of {@linkcode buildPackage}. */
export interface BuildOptions {
  /** The folder that becomes the package. Everything in it is removed first. */
  readonly outDir: string;
  /** The URL of the repository, for example `https://github.com/you/parley`. */
  readonly repository?: string | undefined;
}

/** Builds the package into a folder. */
export async function buildPackage({ outDir, repository }: BuildOptions): Promise<void> {
  const config: PackageConfig = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("imports.json", ROOT)));
  await Deno.remove(outDir, { recursive: true }).catch(() => {});
  await Deno.mkdir(outDir, { recursive: true });
  await bundle(config, outDir);
  const imported = await importedPackages(outDir);
  await Deno.writeTextFile(
    `${outDir}/package.json`,
    `${JSON.stringify(manifest({ config, imports, imported, repository }), undefined, 2)}\n`,
  );
  if ("./cli" in config.exports) await Deno.writeTextFile(`${outDir}/${BIN}`, PROGRAM, { mode: 0o755 });
  for (const name of DOCUMENTS) await Deno.copyFile(new URL(name, ROOT), `${outDir}/${name}`);
}

/** Packs a built package, and returns the path of its tarball. */
export async function packPackage(outDir: string, destination: string): Promise<string> {
  const printed = await run("npm", ["pack", "--json", "--pack-destination", destination], outDir);
  const [{ filename }] = JSON.parse(printed);
  return `${destination}/${filename}`;
}

/** Deno runs tsdown, because tsdown needs a newer Node than many people have. */
async function bundle({ exports }: PackageConfig, outDir: string): Promise<void> {
  const tools = await Deno.makeTempDir({ prefix: "parley-npm-" });
  try {
    for (const name of TOOL_FILES) await Deno.copyFile(new URL(name, TOOLS), `${tools}/${name}`);
    // `npm ci` refuses the lock file, because optional packages for other systems do not exist.
    await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], tools);
    const entry = Object.fromEntries(
      Object.entries(exports).map(([name, path]) => [fileOf(name), new URL(path, ROOT).pathname]),
    );
    const options = JSON.stringify({ root: ROOT.pathname, entry, outDir });
    await run(Deno.execPath(), ["run", "-A", "--no-lock", "bundle.mjs", options], tools);
    for (const name of BUNDLED) {
      await Deno.copyFile(`${tools}/node_modules/${name}/LICENSE`, `${outDir}/LICENSE.${name}`);
    }
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
}

/** The packages that the built files import. */
async function importedPackages(outDir: string): Promise<Set<string>> {
  const packages = new Set<string>();
  for await (const { name } of Deno.readDir(outDir)) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    const text = await Deno.readTextFile(`${outDir}/${name}`);
    const code = text.replace(/\/\*\*[^]*?\*\//g, "");
    for (const [, first, second] of code.matchAll(IMPORTS)) {
      const specifier = first ?? second!;
      if (!/^(node|cloudflare):/.test(specifier)) packages.add(packageOf(specifier));
    }
  }
  return packages;
}
