/**
 * Runs `deno` for the scripts: the same binary that runs them, in the root of the repository.
 *
 * @module
 */

/** The root of the repository. */
export const ROOT: URL = new URL("../", import.meta.url);

/**
 * The option for the versions in `deno.lock`. `deno.json` names no lock, since `deno task` downloads
 * everything that a lock names before it runs a task.
 */
export const LOCK: string = `--lock=${new URL("deno.lock", ROOT).pathname}`;

/** Runs `deno`, passes its output on, and returns its exit code. */
export async function deno(args: readonly string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null" }).spawn()
    .status;
  return code;
}

/** The files that `deno.json` exports. */
export async function entryPoints(): Promise<string[]> {
  const config: { exports: Record<string, string> } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return Object.values(config.exports);
}
