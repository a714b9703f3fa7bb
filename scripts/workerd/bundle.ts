/**
 * A bundle of a worker and its imports, packages included, as wrangler uploads it. Deno makes it.
 *
 * @module
 */

import { LOCK, ROOT } from "../deno.ts";

/** Modules of the platform. */
const EXTERNAL = "--external=cloudflare:workers";

/**
 * Bundles a worker for a runtime with the APIs of browsers.
 *
 * @param entry The path of the worker from the root of the repository.
 * @returns The module's text. It imports nothing but modules of the platform: `cloudflare:` and `node:`.
 */
export async function bundle(entry: string): Promise<string> {
  const args = ["bundle", "--quiet", LOCK, "--config", "deno.json", "--platform", "browser", EXTERNAL, entry];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Bundling ${entry} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
