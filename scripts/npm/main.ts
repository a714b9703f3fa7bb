/**
 * `deno task npm`: builds the npm package in `dist/npm/`, and packs it beside.
 *
 * The repository's URL comes from the variables of GitHub Actions, which is where a package with
 * provenance is published from, or from the remote `origin`.
 *
 * @module
 */

import { ROOT } from "../deno.ts";
import { buildPackage, packPackage, run } from "./build.ts";

const root = ROOT.pathname;
const [server, path] = [Deno.env.get("GITHUB_SERVER_URL"), Deno.env.get("GITHUB_REPOSITORY")];

/** The remote as a URL for browsers. */
async function originUrl(): Promise<string | undefined> {
  const remote = await run("git", ["remote", "get-url", "origin"], root).catch(() => "");
  return /^(https:\/\/[^@]+?)(\.git)?\s*$/.exec(remote)?.[1];
}

const repository = server && path ? `${server}/${path}` : await originUrl();
if (!repository) console.error("No repository is known, so that the package cannot be published with provenance");
await buildPackage({ outDir: `${root}dist/npm`, repository });
const tarball = await packPackage(`${root}dist/npm`, `${root}dist`);
console.log(`${tarball}: ${((await Deno.stat(tarball)).size / 1_000).toFixed(0)} kB`);
