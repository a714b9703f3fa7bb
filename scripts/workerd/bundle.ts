/**
 * A bundle of a worker and its imports, packages included, as wrangler uploads it. Deno makes it.
 *
 * @module
 */

import { LOCK, ROOT } from "../deno.ts";

/** Options of {@linkcode bundle}. */
export interface BundleOptions {
  /**
   * Whether the worker has the flag `nodejs_compat`. Its packages may then require modules of Node,
   * and their parts for workerd are taken, such as the sockets of node-postgres. Default `false`.
   */
  readonly nodejs?: boolean;
}

/** Modules of the runtime, and an addon that node-postgres tries to load. */
const EXTERNAL = ["--external=cloudflare:*", "--external=pg-native"];

/** The bundle requires modules of Node by this function, if there is one. */
const REQUIRE = `import { createRequire } from "node:module";\nconst require = createRequire("/");\n`;

/**
 * Bundles a worker for a runtime with the APIs of browsers.
 *
 * @param entry The path of the worker from the root of the repository.
 * @returns The module's text. It imports nothing but modules of the runtime: `cloudflare:` and
 * `node:`.
 */
export async function bundle(entry: string, { nodejs = false }: BundleOptions = {}): Promise<string> {
  const args = ["bundle", "--quiet", LOCK, "--config", "deno.json", "--platform", "browser", ...EXTERNAL, entry];
  const env = nodejs ? { DENO_CONDITIONS: "workerd" } : {};
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Bundling ${entry} failed: ${decoder.decode(stderr)}`);
  return (nodejs ? REQUIRE : "") + decoder.decode(stdout);
}
