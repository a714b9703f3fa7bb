/**
 * The files of the repository, for the tests of its rules.
 *
 * @module
 */

import { LOCK } from "../../scripts/deno.ts";

/** The root of the repository. */
export const ROOT: URL = new URL("../../", import.meta.url);

/** Folders that hold no sources of the project. */
const SKIPPED = new Set(["node_modules", "coverage", "dist"]);

/** All TypeScript files, by their paths from the root. */
export function sourceFiles(): string[] {
  return projectFiles().filter((path) => path.endsWith(".ts"));
}

/** All files but hidden ones, by their paths from the root. */
export function projectFiles(): string[] {
  return [...walk("")].toSorted();
}

/** The text of a file. */
export function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Runs a command of `deno` in the root, with the locked packages. */
export async function deno(
  subcommand: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [subcommand, LOCK, ...args],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a function with a directory that is removed afterwards. */
export async function withDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir();
  try {
    return await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function* walk(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(directory, ROOT))) {
    if (name.startsWith(".") || SKIPPED.has(name)) continue;
    if (isDirectory) yield* walk(`${directory}${name}/`);
    else yield `${directory}${name}`;
  }
}
