/**
 * `deno task npm`: builds the npm package in `dist/npm/`, and packs it beside.
 *
 * @module
 */

import { repositoryUrl } from "../command.ts";
import { ROOT } from "../deno.ts";
import { buildPackage, packPackage } from "./build.ts";

const root = ROOT.pathname;
const repository = await repositoryUrl();
if (!repository) console.error("No repository is known, so that the package cannot be published with provenance");
await buildPackage({ outDir: `${root}dist/npm`, repository });
const tarball = await packPackage(`${root}dist/npm`, `${root}dist`);
console.log(`${tarball}: ${((await Deno.stat(tarball)).size / 1_000).toFixed(0)} kB`);
