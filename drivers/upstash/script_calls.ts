/**
 * Calls of scripts: the request, and its answer.
 *
 * @module
 */

import { ValueTooLargeError } from "../../core/errors.ts";
import { type Answer, readAnswer } from "./answer.ts";
import type { Keys } from "./keys.ts";
import type { ScriptRequest } from "./script_request.ts";
import { type Script, type ScriptName, SCRIPTS } from "./scripts.ts";
import { isFlagRefused, isNoScript } from "./transport/failure.ts";
import type { SendCommand } from "./transport/transport.ts";

/**
 * The most bytes of a journal, of the messages that wait, of the idempotency keys, of the events, and of the streams of a workflow.
 * Upstash allows 100 MB a key: the rest is for what the waits of one commit find.
 */
export const MAX_COLLECTION_BYTES = 90_000_000;

/** What makes {@linkcode ScriptCalls}. */
export interface ScriptCallsOptions {
  /** Sends commands. */
  readonly send: SendCommand;
  /** The names of keys. */
  readonly keys: Keys;
  /** How long ended workflows stay, in milliseconds; without it, until they are purged. */
  readonly retention?: number | undefined;
  /** {@linkcode MAX_COLLECTION_BYTES} without it. */
  readonly maxBytes?: number | undefined;
  /** Is told, once, that the server is no Upstash. */
  readonly report?: (problem: string) => void;
}

/** What all calls of one driver share. */
export class ScriptCalls {
  readonly keys: Keys;
  readonly retention: number | undefined;
  readonly maxBytes: number;
  readonly #send: SendCommand;
  readonly #report: (problem: string) => void;
  /** Whether the server knows the flag with which a script locks its keys alone. */
  #takesFlag = true;

  /**
   * Makes it.
   *
   * @param options How it sends, and what it is for.
   */
  constructor({ send, keys, retention, maxBytes = MAX_COLLECTION_BYTES, report = () => {} }: ScriptCallsOptions) {
    this.#send = send;
    this.keys = keys;
    this.retention = retention;
    this.maxBytes = maxBytes;
    this.#report = report;
  }

  /**
   * Calls a script.
   *
   * @param name The script.
   * @param request Its keys and values.
   * @param document What it is to do.
   * @throws {ValueTooLargeError} If a collection of a workflow would outgrow its key. Nothing was written.
   */
  async call<Meta>(name: ScriptName, request: ScriptRequest, document: object): Promise<Answer<Meta>> {
    const call = `Upstash: ${SCRIPTS[name].method}`;
    const answer = readAnswer<Meta & { tooLarge?: Overflow }>(
      await this.#run(name, request.arguments(document), call),
      call,
    );
    const { tooLarge } = answer.meta;
    if (!tooLarge) return answer;
    const { what, id, bytes } = tooLarge;
    throw new ValueTooLargeError(`${what} of the workflow ${JSON.stringify(id)}`, bytes, this.maxBytes);
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

/** A collection of a workflow that would grow too large. */
interface Overflow {
  readonly what: string;
  readonly id: string;
  readonly bytes: number;
}
