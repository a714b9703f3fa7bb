/**
 * Runs programs for the scripts.
 *
 * @module
 */

import { ROOT } from "./deno.ts";

/** Runs a program to its end, and returns what it printed. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd, stdin: "null" }).output();
  const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${errors}${printed}`);
  return printed;
}

/**
 * The URL of the repository for browsers. It comes from the variables of GitHub Actions, which is
 * where a package with provenance is published from, or from the remote `origin`.
 */
export async function repositoryUrl(): Promise<string | undefined> {
  const [server, path] = [Deno.env.get("GITHUB_SERVER_URL"), Deno.env.get("GITHUB_REPOSITORY")];
  if (server && path) return `${server}/${path}`;
  const remote = await run("git", ["remote", "get-url", "origin"], ROOT.pathname).catch(() => "");
  return /^(https:\/\/[^@]+?)(\.git)?\s*$/.exec(remote)?.[1];
}
