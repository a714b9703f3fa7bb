/**
 * Carries out the commands of the main program.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { requestCount } from "./requests.ts";
import type { Operation } from "./system.ts";

/** The arguments of a command. Each command uses some of them. */
export interface Arguments {
  readonly id: string;
  readonly count: number;
  readonly program: string;
  readonly operation: Operation;
  readonly pauseMs: number;
  /** How many loops run at once. */
  readonly together: number;
  /** How long the loops run, in milliseconds. */
  readonly forMs: number;
}

/** Commands by name. Each returns plain JSON. */
export type Commands = Readonly<Record<string, (args: Arguments) => Promise<unknown>>>;

/** What an answer begins with, since a system may write to the output too. */
const MARK = "@bench ";

function say(answer: unknown): void {
  process.stdout.write(`${MARK}${JSON.stringify(answer)}\n`);
}

/**
 * Reads commands from the standard input, a line each, and answers on the standard output. Settles
 * when the input ends.
 */
export async function serve(commands: Commands): Promise<void> {
  say({ id: 0, value: null });
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, command, args }: { id: number; command: string; args: Arguments } = JSON.parse(line);
    const before = requestCount();
    const run = commands[command];
    if (!run) throw new Error(`There is no command ${command}`);
    run(args).then(
      (value) => say({ id, value, requests: requestCount() - before }),
      (error) => say({ id, error: `${error?.stack ?? error}` }),
    );
  }
}
