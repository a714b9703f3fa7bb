/**
 * Calls scripts. A request has every key that the script may touch, one JSON document, and values.
 *
 * @module
 */

import { ValueTooLargeError } from "../../core/errors.ts";
import { readAnswer } from "./answer.ts";
import type { Keys } from "./keys.ts";
import { type Script, type ScriptName, SCRIPTS } from "./scripts.ts";
import { isFlagRefused, isNoScript } from "./transport/failure.ts";
import type { SendCommand } from "./transport/transport.ts";

/**
 * The most bytes of a journal, of the messages that wait, of the idempotency keys, of the events,
 * and of the streams of a workflow. Upstash allows 100 MB a key.
 */
export const MAX_COLLECTION_BYTES = 90_000_000;

/** Options of {@linkcode ScriptCalls}. */
export interface ScriptCallsOptions {
  /** Sends commands. */
  readonly send: SendCommand;
  /** The names of keys. */
  readonly keys: Keys;
  /** How long ended workflows stay, in milliseconds. Default: until they are purged. */
  readonly retention?: number | undefined;
  /** In place of {@linkcode MAX_COLLECTION_BYTES}. */
  readonly maxBytes?: number | undefined;
  /** Gets a message, once, if the server is not Upstash. */
  readonly report?: (problem: string) => void;
}

/**
 * How many children get their expiry by one request, and at most after one call. Later calls continue.
 */
const MAX_EXPIRED = 100;
const MAX_EXPIRED_AFTER_A_CALL = 200;

/** Members of a document that are sent as separate values, because JSON in JSON is longer. */
const VALUES = new Set(["value", "input", "output", "error", "problem"]);

/** Calls the scripts of one driver. */
export class ScriptCalls {
  readonly keys: Keys;
  readonly #retention: number | undefined;
  readonly #maxBytes: number;
  readonly #send: SendCommand;
  readonly #report: (problem: string) => void;
  /** Whether the server knows the flag with which a script locks its keys alone. */
  #takesFlag = true;

  /**
   * Creates the caller, without a request.
   *
   * @param options How commands are sent, and the settings of the driver.
   */
  constructor({ send, keys, retention, maxBytes = MAX_COLLECTION_BYTES, report = () => {} }: ScriptCallsOptions) {
    this.#send = send;
    this.keys = keys;
    this.#retention = retention;
    this.#maxBytes = maxBytes;
    this.#report = report;
  }

  /**
   * Calls a script. If the answer tells of children that their parents need no more, they get the
   * expiry that they would have had at their ends.
   *
   * @param name The script.
   * @param keys Every key that the script may touch, in any order.
   * @param document The request to the script. Members that are `null` or `undefined` are left out.
   * @returns The document of the answer, with its values in place.
   * @throws {ValueTooLargeError} If a collection of a workflow would outgrow its key. Nothing was
   * written.
   */
  readonly call = async <Answer extends object>(
    name: ScriptName,
    keys: readonly string[],
    document: object,
  ): Promise<Answer> => {
    const call = `Upstash: ${SCRIPTS[name].method}`;
    const { tooLarge, expiring, ...answer } = readAnswer<{ tooLarge?: Overflow; expiring?: string[] }>(
      await this.#run(name, this.#argumentsOf(keys, document), call),
      call,
    );
    if (expiring) await this.#expire(expiring);
    if (!tooLarge) return answer as Answer;
    const { what, id, bytes } = tooLarge;
    throw new ValueTooLargeError(`${what} of the workflow ${JSON.stringify(id)}`, bytes, this.#maxBytes);
  };

  /**
   * The call that found these children has succeeded, so an error here is dropped, and the next
   * call that finds them goes on.
   */
  async #expire(found: readonly string[]): Promise<void> {
    const all = [...new Set(found)].slice(0, MAX_EXPIRED_AFTER_A_CALL);
    for (let from = 0; from < all.length; from += MAX_EXPIRED) {
      const places = all.slice(from, from + MAX_EXPIRED);
      const done = await this.call("expire", this.keys.at(places), { places }).then(() => true, () => false);
      if (!done) return;
    }
  }

  /**
   * The arguments of `EVAL` and `EVALSHA` after the script. The document has the place of each
   * value instead of the value.
   */
  #argumentsOf(keys: readonly string[], document: object): string[] {
    const values: string[] = [];
    const settings = { prefix: this.keys.prefix, retention: this.#retention, maxBytes: this.#maxBytes };
    const text = JSON.stringify({ ...settings, ...document }, (name, member) => {
      return VALUES.has(name) && typeof member === "string" ? values.push(member) + 1 : member ?? undefined;
    });
    const declared = [...new Set(keys)];
    return [String(declared.length), ...declared, text, ...values];
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
      "the server refuses the script flag allow-key-locking, so it is not Upstash; the scripts go without " +
        "it, which is for development alone",
    );
  }
}

/** A collection of a workflow that would grow too large. */
interface Overflow {
  readonly what: string;
  readonly id: string;
  readonly bytes: number;
}
