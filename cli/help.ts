/**
 * The help of the command line.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { EXIT_CODES } from "./exit_codes.ts";
import { COMMON_OPTIONS, type OptionName, OPTIONS } from "./options.ts";

const COMMON = Object.keys(COMMON_OPTIONS) as OptionName[];

/** The help for all commands. */
export function helpForAll(commands: readonly Command[]): string {
  return [
    "Looks into workflows of Parley, and repairs them.",
    "",
    "Usage: parley COMMAND [ARGUMENTS] [OPTIONS]",
    "",
    "Commands:",
    ...aligned(commands.map(({ name, arguments: given, help }) => [`${name} ${given}`.trim(), help])),
    "",
    "Options of every command:",
    ...aligned(COMMON.map(describeOption)),
    "",
    `Exit codes: ${Object.entries(EXIT_CODES).map(([name, code]) => `${code} ${toWords(name)}`).join(", ")}`,
    "",
    "parley COMMAND --help shows the options of a command.",
    "",
  ].join("\n");
}

/** The help for one command. */
export function helpForOne({ name, arguments: given, help, options }: Command): string {
  return [
    `${help}.`,
    "",
    `Usage: ${["parley", name, given, "[OPTIONS]"].filter((it) => it !== "").join(" ")}`,
    "",
    "Options:",
    ...aligned([...options, ...COMMON].map(describeOption)),
    "",
  ].join("\n");
}

function describeOption(name: OptionName): [string, string] {
  const { value, help } = OPTIONS[name];
  return [value === undefined ? `--${name}` : `--${name} ${value}`, help];
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

/** Writes `notFound` as `not found`. */
function toWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
