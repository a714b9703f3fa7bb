/**
 * Runs the command line as a process.
 *
 * @module
 */

import { ROOT } from "../../project/files.ts";

/** A process that hangs is stopped. */
const PATIENCE_MS = 60_000;

/** What a process has printed, and its exit code. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** How to run the command line: a program and its first arguments. */
export type Program = readonly [command: string, ...args: string[]];

/** The command line in this Deno. */
export const DENO_PROGRAM: Program = [
  Deno.execPath(),
  "run",
  "--no-lock",
  "-A",
  "--config",
  new URL("deno.json", ROOT).pathname,
  new URL("cli/mod.ts", ROOT).pathname,
];

/** Options of a process. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The standard input. Default none. */
  readonly input?: string;
  readonly program?: Program;
}

/** Starts the command line. Only a few variables of this process reach it. */
export function spawn(args: readonly string[], { env = {}, input, program = DENO_PROGRAM }: RunOptions = {}) {
  const [command, ...first] = program;
  return new Deno.Command(command, {
    args: [...first, ...args],
    clearEnv: true,
    env: { ...inherited(), ...env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).spawn();
}

/** What a runtime needs: its caches, and where programs are. */
export function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "TMPDIR"];
  const values = names.map((name) => [name, Deno.env.get(name)] as const);
  return { NO_COLOR: "1", ...Object.fromEntries(values.filter(([, value]) => value !== undefined)) };
}

/** Runs the command line to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(args, options);
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const [printed = "", errors = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: printed, stderr: errors };
}
