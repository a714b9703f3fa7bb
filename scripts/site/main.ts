/**
 * `deno task site`: builds the site of the documentation in `dist/site/`, with VitePress. Its search
 * works without a server. `SITE_BASE` is the path at which the site is served, default `/`.
 *
 * @module
 */

import { repositoryUrl } from "../command.ts";
import { ROOT } from "../deno.ts";
import { buildSite } from "./build.ts";

const outDir = `${ROOT.pathname}dist/site`;
await buildSite({ outDir, repository: await repositoryUrl() });
console.log(outDir);
