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
  readonly send: SendCommand;
  readonly keys: Keys;
  /** How long ended workflows stay, in milliseconds. Default: until they are purged. */
  readonly retention?: number | undefined;
  /** In place of {@linkcode MAX_COLLECTION_BYTES}. */
  readonly maxBytes?: number | undefined;
  /** Gets a message, once, if the server is not Upstash. */
  readonly report?: (problem: string) => void;
}

/** How many children get their expiry by one request, and after one call. Later calls continue. */
const MAX_EXPIRED = 100;
const MAX_EXPIRED_AFTER_A_CALL = 200;

/** Members of a document that are sent as separate values, because JSON in JSON is longer. */
const VALUES = new Set(["value", "input", "output", "error", "problem"]);

/** Calls the scripts of one driver. */
export class ScriptCalls {
  readonly keys: Keys;
  readonly #options: ScriptCallsOptions;
  readonly #maxBytes: number;
  /** Whether the server knows the flag with which a script locks its keys alone. */
  #takesFlag = true;

  /** Makes no request yet. */
  constructor(options: ScriptCallsOptions) {
    this.keys = options.keys;
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? MAX_COLLECTION_BYTES;
  }

  /**
   * Calls a script. If the answer tells of children that their parents need no more, they get the
   * expiry that they would have had at their ends.
   *
   * @param name The script.
   * @param keys Every key that the script may touch, besides those that all workflows share.
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
    const script = SCRIPTS[name];
    const call = `Upstash: ${script.method}`;
    const declared = [...new Set(script.isShared ? [...this.keys.shared, ...keys] : keys)];
    const args = [String(declared.length), ...declared, ...this.#valuesOf(document)];
    const result = await this.#run(script, args, call);
    const { tooLarge, expiring, ...answer } = readAnswer<{ tooLarge?: Overflow; expiring?: string[] }>(result, call);
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
      const done = await this.call("expire", this.keys.ofPlaces(places), { places }).then(() => true, () => false);
      if (!done) return;
    }
  }

  /** `ARGV`: the document, with the place of each value instead of the value, and the values. */
  #valuesOf(document: object): string[] {
    const values: string[] = [];
    const settings = { prefix: this.keys.prefix, retention: this.#options.retention, maxBytes: this.#maxBytes };
    const text = JSON.stringify({ ...settings, ...document }, (name, member) => {
      return VALUES.has(name) && typeof member === "string" ? values.push(member) + 1 : member ?? undefined;
    });
    return [text, ...values];
  }

  async #run(script: Script, args: readonly string[], call: string): Promise<unknown> {
    const { send, report } = this.#options;
    const isLocking = this.#takesFlag;
    const { sha, source } = isLocking ? script : script.unlocked;
    try {
      return await send(["EVALSHA", await sha, ...args], call);
    } catch (error) {
      if (!isNoScript(error)) throw error;
    }
    try {
      return await send(["EVAL", source, ...args], call);
    } catch (error) {
      if (!isLocking || !isFlagRefused(error)) throw error;
    }
    if (this.#takesFlag) {
      report?.(
        "the server refuses the script flag allow-key-locking, so it is not Upstash; the scripts go without it, " +
          "which is for development alone",
      );
    }
    this.#takesFlag = false;
    return await this.#run(script, args, call);
  }
}

/** A collection of a workflow that would grow too large. */
type Overflow = { readonly what: string; readonly id: string; readonly bytes: number };
