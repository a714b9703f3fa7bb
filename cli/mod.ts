/**
 * The command line of Parley: looks into workflows and repairs them, over HTTP or directly at a
 * store.
 *
 * As a program, this module runs by itself: `deno run -A jsr:@parley/parley/cli list`. Node 20 and
 * 22 cannot tell which module is the program, so a script that they run imports this module and
 * calls {@linkcode runCli}, as in the example below.
 *
 * @example A script for a runtime that does not know `import.meta.main`
 * ```ts ignore
 * // Ignored: it ends the process.
 * import process from "node:process";
 * import { runCli } from "@parley/parley/cli";
 *
 * process.exit(await runCli(process.argv.slice(2)));
 * ```
 *
 * @module
 */

import process from "node:process";
import { deferred } from "../core/time/deferred.ts";
import { CommandCall } from "./command.ts";
import { EXIT_CODES, exitCodeOf } from "./exit_codes.ts";
import { helpForAll, helpForOne } from "./help.ts";
import { type CliIo, processIo } from "./io.ts";
import { COMMANDS, parseArguments } from "./parse.ts";
import { type Reporting, reportLine } from "./report.ts";

export { EXIT_CODES } from "./exit_codes.ts";
export type { CliIo } from "./io.ts";

/**
 * Runs a command of the command line.
 *
 * It never rejects: an error is written to `err`, without secrets, as a line of text or, with
 * `--json`, as `{ "error": { "code", "message" } }`.
 *
 * @param args The arguments, as in `["list", "--status", "ERROR"]`.
 * @param io What the command reads and writes. Default the process's own.
 * @returns The exit code, one of {@linkcode EXIT_CODES}.
 *
 * @example List workflows as JSON
 * ```ts
 * import { memoryDriver, Parley, workflow } from "@parley/parley";
 * import { runCli } from "@parley/parley/cli";
 * import { bearer, parleyHttp } from "@parley/parley/http";
 *
 * const greet = workflow("greet", (_ctx, name: string) => `Hello ${name}`);
 * const parley = new Parley({ driver: memoryDriver(), workflows: [greet] });
 * await (await parley.start(greet, "Ada", { workflowId: "greeting-1" })).result();
 *
 * // In place of `fetch`, so that this runs without a server.
 * const app = parleyHttp({ parley, auth: bearer("s3cret") });
 * const fetch = async (url: string, init: RequestInit) => await app.request(url, init);
 * let printed = "";
 * const code = await runCli(["list", "--url", "https://example.com", "--json"], {
 *   env: { PARLEY_TOKEN: "s3cret" },
 *   out: (text) => void (printed += text),
 *   fetch,
 * });
 * console.log(code, JSON.parse(printed).workflows[0].workflowId); // 0 greeting-1
 * ```
 *
 * @category Command line
 */
export async function runCli(args: readonly string[], io: Partial<CliIo> = {}): Promise<number> {
  const defaults = processIo();
  const full = { ...defaults.io, ...io };
  const secrets = new Set<string>();
  const interrupted = deferred<number>();
  const interrupt = () => interrupted.resolve(EXIT_CODES.interrupted);
  full.signal.addEventListener("abort", interrupt);
  if (full.signal.aborted) interrupt();
  try {
    const done = run(args, full, secrets).catch((error) =>
      report(error, full, { isJson: args.includes("--json"), secrets })
    );
    const code = await Promise.race([done, interrupted.promise]);
    // The cursor may be behind the progress or the question.
    if (code === EXIT_CODES.interrupted && full.hasProgress) await full.err("\n");
    return code;
  } finally {
    full.signal.removeEventListener("abort", interrupt);
    defaults.close();
  }
}

async function run(args: readonly string[], io: CliIo, secrets: Set<string>): Promise<number> {
  const { command, arguments: given, options } = parseArguments(args);
  if (options.flag("help") || !command) {
    await io.out(command ? helpForOne(command) : helpForAll(COMMANDS));
    return args.length === 0 ? EXIT_CODES.usage : EXIT_CODES.ok;
  }
  const call = new CommandCall({ arguments: given, options }, io, secrets);
  try {
    await command.run(call);
  } finally {
    await call.close();
  }
  return EXIT_CODES.ok;
}

/** Writes an error, and returns the exit code. */
async function report(error: unknown, io: CliIo, reporting: Reporting): Promise<number> {
  if (io.signal.aborted) return EXIT_CODES.interrupted;
  // The reader has what it wanted, as `head` does.
  if (error instanceof Error && "code" in error && error.code === "EPIPE") return EXIT_CODES.ok;
  await io.err(reportLine("error", error, reporting));
  return exitCodeOf(error);
}

// Node 20 and 22 leave this undefined, and call `runCli` from a script.
if (import.meta.main) process.exit(await runCli(process.argv.slice(2)));
