/**
 * The options of the command line: their names, and what was given.
 *
 * @module
 */

import { checkWholeNumber, type Duration, toMilliseconds } from "../core/values/checks.ts";
import { CliError } from "./exit_codes.ts";
import { parseInstant } from "./input.ts";

/** An option. */
export interface OptionSpec {
  /** The word that stands for its value in the help. A flag has none. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly multiple?: true;
  /** What it does, for the help. */
  readonly help: string;
}

/** The options that every command has. */
export const COMMON_OPTIONS = {
  url: { value: "URL", help: "Where the adapter is mounted, or the address of a store. Default PARLEY_URL" },
  store: { value: "URL", help: "A store: postgres://..., sqlite:FILE or https://... of Upstash. Default PARLEY_STORE" },
  token: { value: "TOKEN", help: "The token of the server, or of Upstash. Default PARLEY_TOKEN" },
  "token-file": { value: "FILE", help: "A file with that token" },
  schema: { value: "NAME", help: 'The schema in PostgreSQL. Default "parley"' },
  prefix: { value: "TEXT", help: 'The prefix of the keys at Upstash. Default "parley"' },
  "neon-proxy": { value: "URL", help: "Another proxy of Neon, such as http://127.0.0.1:4444/sql" },
  json: { help: "Print JSON, for programs" },
  help: { help: "Show the options of a command" },
} as const satisfies Record<string, OptionSpec>;

/** The options of single commands. */
export const COMMAND_OPTIONS = {
  status: { value: "STATUS", multiple: true, help: "Only this status; several with commas" },
  name: { value: "NAME", help: "Only workflows of this name" },
  "id-prefix": { value: "TEXT", help: "Only IDs that begin so" },
  "created-after": { value: "TIME", help: "Only younger ones: an instant, or a duration such as 2h" },
  "created-before": { value: "TIME", help: "Only older ones: an instant, or a duration such as 7d" },
  problem: { help: "Only workflows that are parked with a problem" },
  due: { help: "Only workflows that a sweep would take now" },
  values: { help: "With inputs and outputs, in JSON" },
  limit: { value: "NUMBER", help: "The most to list, to take or to remove" },
  cursor: { value: "CURSOR", help: "The page that an earlier one has named" },
  after: { value: "NUMBER", help: "The page that an earlier one has named" },
  all: { help: "All of them, or as many as --limit says" },
  wait: { help: "Wait until the workflow has ended" },
  timeout: { value: "DURATION", help: "The longest time to wait, such as 30s" },
  state: { value: "STATE", help: "unread, received or all. Default unread" },
  topic: { value: "TOPIC", help: 'The topic; "" for none' },
  from: { value: "NUMBER", help: "The first offset of a stream, or the first position to run again" },
  follow: { help: "Go on until the stream is closed, as lines of JSON with --json" },
  "idempotency-key": { value: "KEY", help: "Send only once with this key" },
  id: { value: "ID", help: "The ID of the new workflow. Default a new UUID" },
  enqueue: { help: "Store it for a sweep, also if the server does not know its name" },
  delay: { value: "DURATION", help: "Begin later, such as 3d" },
  at: { value: "TIME", help: "Begin at an instant, such as 2027-01-31T09:00Z" },
  children: { help: "Also those that it has started, and so on" },
  yes: { help: "Do not ask" },
  "older-than": { value: "DURATION", help: "How long ago they must have ended, such as 30d" },
  print: { help: "Only print the address" },
} as const satisfies Record<string, OptionSpec>;

/** Every option. */
export const OPTIONS: Readonly<Record<OptionName, OptionSpec>> = { ...COMMON_OPTIONS, ...COMMAND_OPTIONS };

/** The name of an option of single commands. */
export type CommandOption = keyof typeof COMMAND_OPTIONS;
/** The name of an option, without its dashes. */
export type OptionName = keyof typeof COMMON_OPTIONS | CommandOption;

/** The options that were given. */
export class Options {
  readonly #given: Readonly<Record<string, unknown>>;

  /**
   * Wraps the options.
   *
   * @param given The values as `parseArgs` returns them.
   */
  constructor(given: Readonly<Record<string, unknown>>) {
    this.#given = given;
  }

  /** Whether a flag is given. */
  flag(name: OptionName): boolean {
    return this.#given[name] === true;
  }

  /** The value of an option. */
  text(name: OptionName): string | undefined {
    const value = this.#given[name];
    return typeof value === "string" ? value : undefined;
  }

  /** The values of an option that may be given several times, also with commas. */
  texts(name: OptionName): string[] {
    const value = this.#given[name];
    return Array.isArray(value) ? value.flatMap((it) => String(it).split(",")) : [];
  }

  /** The value of an option as a whole number in a range. */
  count(name: OptionName, least: number, most?: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const count = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    checkWholeNumber(count, `option --${name}`, least, most);
    return count;
  }

  /** The value of an option as a duration. */
  duration(name: OptionName): Duration | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : toMilliseconds(text as Duration, `option --${name}`);
  }

  /** The value of an option as an instant, in epoch milliseconds. A duration lies in the past. */
  instant(name: OptionName, options: { isPast: boolean }): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseInstant(text, `option --${name}`, options);
  }

  /** Refuses options that exclude each other. @throws {CliError} */
  atMostOne(...names: OptionName[]): void {
    const given = names.filter((name) => this.#given[name] !== undefined);
    if (given.length > 1) throw new CliError(`Give either --${given[0]} or --${given[1]}, not both`);
  }
}
