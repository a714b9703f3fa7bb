/**
 * What a command is, and what it gets.
 *
 * @module
 */

import { checkName } from "../core/values/checks.ts";
import { CliError } from "./exit_codes.ts";
import type { CliIo } from "./io.ts";
import type { CommandOption, Options } from "./options.ts";
import { withProgress } from "./progress.ts";
import { openTarget, type Target } from "./target.ts";
import { escapeText, toItemJson, toJson } from "./text.ts";

/** A command. */
export interface Command {
  readonly name: string;
  /** Its arguments, as in `ID [KEY]`. Those in brackets may be left out. */
  readonly arguments: string;
  /** What it does, for the help. */
  readonly help: string;
  readonly options: readonly CommandOption[];
  run(call: CommandCall): Promise<void>;
}

/** How many items of a list are written at once. */
const PIECE = 500;

/** A call of a command. */
export class CommandCall {
  readonly options: Options;
  readonly io: CliIo;
  readonly #arguments: readonly string[];
  readonly #secrets: Set<string>;
  #target: Target | undefined;

  /**
   * Creates a call.
   *
   * @param given The arguments and options.
   * @param secrets Gets the secrets that the call uses, so that no error shows them.
   */
  constructor(
    given: { arguments: readonly string[]; options: Options },
    io: CliIo,
    secrets: Set<string>,
  ) {
    this.options = given.options;
    this.io = io;
    this.#arguments = given.arguments;
    this.#secrets = secrets;
  }

  /** Whether to print JSON. */
  get isJson(): boolean {
    return this.options.flag("json");
  }

  /** An argument by its place. */
  argument(index: number): string | undefined {
    return this.#arguments[index];
  }

  /** The workflow's ID, the first argument. @throws {ValidationError} If it cannot be an ID. */
  get workflowId(): string {
    const id = this.#arguments[0];
    checkName(id, "workflow ID");
    return id;
  }

  /** The server or the store. The first call opens it. */
  async target(): Promise<Target> {
    return this.#target ??= await openTarget(this.options, this.io, this.#secrets);
  }

  /** Makes requests, and shows progress if they take long. */
  async during<T>(
    doing: string,
    work: (target: Target, report: (done: string) => void) => Promise<T>,
  ): Promise<T> {
    return await withProgress(this.io, doing, async (report) => await work(await this.target(), report));
  }

  /** Prints a result: the JSON for programs, or the text for people. */
  async print(json: unknown, text: () => string): Promise<void> {
    await this.io.out(this.isJson ? `${toJson(json)}\n` : text());
  }

  /**
   * Prints a result that is a list. Its JSON is written in pieces, because a list may be longer than
   * one text.
   *
   * @param name The name of the list in the JSON.
   * @param rest The other members of the JSON.
   */
  async printList(name: string, items: readonly unknown[], rest: object, text: () => string): Promise<void> {
    if (!this.isJson) return await this.io.out(text());
    await this.io.out(`{${JSON.stringify(name)}:[`);
    for (let from = 0; from < items.length; from += PIECE) {
      const piece = items.slice(from, from + PIECE).map(toItemJson).join();
      await this.io.out(from === 0 ? piece : `,${piece}`);
    }
    const members = Object.entries(rest).map(([key, value]) => `,${JSON.stringify(key)}:${toJson(value)}`);
    await this.io.out(`]${members.join("")}}\n`);
  }

  /** Prints a note for people, beside the result. */
  async note(text: string): Promise<void> {
    if (!this.isJson) await this.io.err(`${escapeText(text)}\n`);
  }

  /**
   * Asks whether to go on, if there is somebody to ask and `--yes` is not given.
   *
   * @throws {CliError} If the answer is not yes.
   */
  async confirm(question: string, declined: number): Promise<void> {
    if (this.options.flag("yes") || this.io.ask === undefined) return;
    const answer = await this.io.ask(`${escapeText(question)} [y/N] `, this.io.signal);
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw new CliError("Nothing was done", declined);
  }

  /** Closes what the call has opened. */
  async close(): Promise<void> {
    await this.#target?.close();
  }
}
