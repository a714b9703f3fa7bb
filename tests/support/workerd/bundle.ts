/**
 * One module of a worker and all that it imports, packages included: what wrangler uploads, made by Deno.
 *
 * @module
 */

const ROOT = new URL("../../../", import.meta.url);

/**
 * Bundles a worker for a runtime that has what browsers have.
 *
 * @param entry Its path from the root of the repository.
 * @returns The module's text. It imports nothing: `node:` modules would be left for a runtime that has them.
 */
export async function bundle(entry: string): Promise<string> {
  const args = ["bundle", "--quiet", "--config", "deno.json", "--platform", "browser", entry];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Bundling ${entry} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
