/**
 * Reads the arguments of the command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { cancel, remove, resume, send, start } from "./commands/change.ts";
import { list } from "./commands/list.ts";
import { events, history, messages } from "./commands/parts.ts";
import { show } from "./commands/show.ts";
import { stream } from "./commands/stream.ts";
import { open, purge, sweep } from "./commands/upkeep.ts";
import { CliError } from "./exit_codes.ts";
import { COMMON_OPTIONS, type OptionName, OPTIONS, Options } from "./options.ts";
import { quoted } from "./text.ts";

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  list,
  show,
  history,
  messages,
  events,
  stream,
  send,
  start,
  cancel,
  resume,
  remove,
  sweep,
  purge,
  open,
];

/** How much of a word is compared with the known names, and how many edits may lie between them. */
const MAX_TYPED = 40;
const MAX_EDITS = 2;

/** The arguments, read. */
export interface ParsedArguments {
  /** Absent if help for all commands is asked for. */
  readonly command?: Command;
  readonly arguments: readonly string[];
  readonly options: Options;
}

const PARSED_OPTIONS = Object.fromEntries(
  Object.entries(OPTIONS).map(([name, { value, multiple = false }]) => [
    name,
    { type: value === undefined ? "boolean" as const : "string" as const, multiple },
  ]),
);

/**
 * Reads the arguments.
 *
 * @throws {CliError} If they are not legal. The message has names of options, and no values.
 */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const { values, positionals } = parse(args);
  const options = new Options(values);
  const [name, ...rest] = positionals[0] === "help" ? positionals.slice(1, 2) : positionals;
  if (name === undefined) return { arguments: [], options };
  const command = COMMANDS.find((it) => it.name === name);
  // The word is not shown, because it may be an address with a password.
  if (!command) {
    throw new CliError(
      `There is no such command${suggestion(name, COMMANDS.map(({ name }) => name))} parley --help lists them`,
    );
  }
  const allowed = new Set<string>([...command.options, ...Object.keys(COMMON_OPTIONS)]);
  const foreign = Object.keys(values).find((it) => !allowed.has(it));
  if (foreign !== undefined) throw new CliError(`parley ${name} has no option --${foreign}: see parley ${name} --help`);
  const isHelp = positionals[0] === "help" || options.flag("help");
  if (isHelp) return { command, arguments: [], options: new Options({ help: true }) };
  checkArguments(command, rest);
  return { command, arguments: rest, options };
}

function parse(args: readonly string[]): { values: Partial<Record<OptionName, unknown>>; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: PARSED_OPTIONS, allowPositionals: true });
  } catch (error) {
    // The parser's own message may quote a value.
    const name = /'(?:-\w, )?(--[a-z-]+)[' ]/.exec(error instanceof Error ? error.message : "")?.[1];
    const known = name !== undefined && name.slice(2) in OPTIONS;
    throw new CliError(
      name === undefined
        ? "An option is not legal: parley --help lists them, and -- comes before an argument that begins with -"
        : known
        ? `The option ${name} ${needOf(name.slice(2) as OptionName)}`
        : `There is no option ${quoted(name)}${
          suggestion(name, Object.keys(OPTIONS).map((it) => `--${it}`))
        } parley --help lists them`,
    );
  }
}

/** The known name that a word resembles most, as a question; a colon if there is none. */
function suggestion(word: string, known: readonly string[]): string {
  const typed = word.slice(0, MAX_TYPED).toLowerCase();
  const [nearest] = known.map((it) => ({ it, edits: editsBetween(typed, it) })).toSorted((a, b) => a.edits - b.edits);
  return nearest && nearest.edits <= MAX_EDITS ? `; did you mean ${nearest.it}?` : ":";
}

/** The number of characters to add, remove or replace (Levenshtein's distance). */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [place, letter] of [...from].entries()) {
    const next = [place + 1];
    for (const [index, other] of [...to].entries()) {
      next.push(Math.min(next[index]! + 1, row[index + 1]! + 1, row[index]! + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1)!;
}

function needOf(name: OptionName): string {
  const { value } = OPTIONS[name];
  return value === undefined ? "takes no value" : `needs a value; write --${name}=${value} if it begins with -`;
}

function checkArguments(command: Command, given: readonly string[]): void {
  const words = command.arguments.split(" ").filter((it) => it !== "");
  const needed = words.filter((it) => !it.startsWith("["));
  if (given.length >= needed.length && given.length <= words.length) return;
  const usage = ["parley", command.name, ...words].join(" ");
  throw new CliError(`The number of arguments is ${given.length}; usage: ${usage}`);
}
