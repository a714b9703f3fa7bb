/**
 * Calls of scripts: the request, its answer, and again where the request has not declared all that the script needs.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { type ExtentNews, Extents, list } from "./extents.ts";
import { isFlagRefused, isNoScript } from "./failure.ts";
import type { Keys } from "./keys.ts";
import { type Script, type ScriptName, SCRIPTS } from "./scripts.ts";
import type { SendCommand } from "./transport.ts";

/** What the documents of all scripts may have. */
interface CommonMeta {
  /** Nothing was written: the request has to be built anew, with the extents that are given. */
  readonly again?: true;
  readonly extents?: readonly ExtentNews[];
  /** Nothing was written: keys of these workflows are still being removed. */
  readonly purging?: readonly string[];
  /** The first segment of the journal that is needed to answer with what is recorded. */
  readonly oldest?: number;
}

/** What is known when a request is built. */
export interface Attempt {
  /** How often it was not enough. */
  readonly tries: number;
  /** See {@linkcode CommonMeta}. */
  readonly oldest?: number | undefined;
}

/** Each time more is known. Only others who change the same workflow at the same moment can make a call go on. */
const MOST_TRIES = 10;

/**
 * How many others claim at the same moment, by what becomes of claims: whoever finds that everything it has seen was taken by others should
 * look further the next time.
 */
class Rivals {
  #spare = 0;

  /** How many workflows more than are wanted should be looked for. */
  get spare(): number {
    return Math.floor(this.#spare);
  }

  /** A claim has taken something, or it was overtaken. */
  met(isOvertaken: boolean): void {
    this.#spare = isOvertaken ? Math.min(this.#spare * 2 + 4, 32) : this.#spare * 0.9;
  }
}

/** What all calls of one driver share. */
export class Client {
  readonly keys: Keys;
  readonly extents: Extents = new Extents();
  readonly rivals: Rivals = new Rivals();
  /** How long those that ended stay, in milliseconds; `undefined`: until they are purged. */
  readonly retention: number | undefined;
  readonly #send: SendCommand;
  readonly #report: (problem: string) => void;
  /** Whether the server knows the flag with which a script locks its keys alone. */
  #takesFlag = true;

  /**
   * Makes it.
   *
   * @param send Sends commands.
   * @param keys The names of keys.
   * @param retention See {@linkcode Client.retention}.
   * @param report Is told, once, that the server is no Upstash.
   */
  constructor(send: SendCommand, keys: Keys, retention: number | undefined, report: (problem: string) => void = () => {}) {
    this.#send = send;
    this.keys = keys;
    this.retention = retention;
    this.#report = report;
  }

  /**
   * Calls a script.
   *
   * @param name The script.
   * @param build Builds the arguments, from what is known of extents.
   * @param finishPurge Finishes the removal of a workflow's keys.
   */
  async call<Meta>(
    name: ScriptName,
    build: (attempt: Attempt) => string[],
    finishPurge: (ids: readonly string[]) => Promise<void> = () => Promise.resolve(),
  ): Promise<Answer<Meta>> {
    const call = `Upstash: ${SCRIPTS[name].method}`;
    let oldest: number | undefined;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const answer = readAnswer<Meta & CommonMeta>(await this.#run(name, build({ tries, oldest }), call), call);
      const { again, extents, purging } = answer.meta;
      oldest = answer.meta.oldest;
      this.extents.learn(list<ExtentNews>(extents));
      if (!again) return answer;
      const unfinished = list<string>(purging);
      if (unfinished.length > 0) await finishPurge(unfinished);
    }
    throw new DriverError(`${call} was overtaken ${MOST_TRIES} times by others who changed the same workflows`, { retryable: true });
  }

  async #run(name: ScriptName, args: readonly string[], call: string): Promise<unknown> {
    const script: Script = SCRIPTS[name];
    const isLocking = this.#takesFlag;
    const { sha, source } = isLocking ? script : script.unlocked;
    try {
      return await this.#send(["EVALSHA", await sha, ...args], call);
    } catch (error) {
      if (!isNoScript(error)) throw error;
    }
    try {
      return await this.#send(["EVAL", source, ...args], call);
    } catch (error) {
      if (!isLocking || !isFlagRefused(error)) throw error;
    }
    this.#noteRefusal();
    return await this.#run(name, args, call);
  }

  #noteRefusal(): void {
    if (!this.#takesFlag) return;
    this.#takesFlag = false;
    this.#report(
      "the server refuses the script flag allow-key-locking, so it is not Upstash; the scripts go without it, which is for development alone",
    );
  }
}
