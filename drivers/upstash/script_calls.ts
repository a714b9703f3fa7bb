/**
 * Calls scripts. A request has every key that the script may touch, one JSON document, and values.
 *
 * An answer is a list of texts: a JSON document and then the values. Each begins with `=`, so that no
 * client takes it for JSON, a number or null. In the document `{"at": 3}` stands for the third value,
 * and `{}` for an empty list, because cjson writes that so.
 *
 * @module
 */

import type {
  HistoryRecord,
  JournalEntry,
  JournalPage,
  MessageRecord,
  Outcome,
  OutcomeTag,
} from "../../core/driver/driver.ts";
import { DriverError, ValueTooLargeError } from "../../core/errors.ts";
import { readJson } from "../read_json.ts";
import type { Keys } from "./keys.ts";
import { type Script, type ScriptName, SCRIPTS } from "./scripts.ts";
import { isFlagRefused, isNoScript } from "./transport/failure.ts";
import type { UpstashTransport } from "./transport/transport.ts";

/**
 * The most bytes of a journal, of the messages that wait, of the idempotency keys, of the events,
 * and of the streams of a workflow. Upstash allows 100 MB a key.
 */
export const MAX_COLLECTION_BYTES = 90_000_000;

/** Options of {@linkcode ScriptCalls}. */
export interface ScriptCallsOptions {
  readonly send: UpstashTransport["send"];
  readonly keys: Keys;
  /** In milliseconds. */
  readonly retention?: number | undefined;
  /** In place of {@linkcode MAX_COLLECTION_BYTES}. */
  readonly maxBytes?: number | undefined;
  /** Gets a message, once, if the server is not Upstash. */
  readonly report?: (problem: string) => void;
}

/** How many children get their expiry after one call. Later calls continue. */
const MAX_EXPIRED = 200;

const FLAG_REPORT = "the server refuses the script flag allow-key-locking, so it is not Upstash; the scripts go " +
  "without it, which is for development alone";

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
    const { tooLarge, expiring, ...answer } = readAnswer<Additions>(await this.#run(script, args, call), call);
    if (expiring?.length) await this.#expire(expiring);
    if (!tooLarge) return answer as Answer;
    const { what, id, bytes } = tooLarge;
    throw new ValueTooLargeError(`${what} of the workflow ${JSON.stringify(id)}`, bytes, this.#maxBytes);
  };

  /**
   * The call that found these children has succeeded, so an error here is dropped, and the next
   * call that finds them goes on.
   */
  async #expire(found: readonly string[]): Promise<void> {
    const places = [...new Set(found)].slice(0, MAX_EXPIRED);
    await this.call("expire", this.keys.ofPlaces(places), { places }).catch(() => {});
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
    if (this.#takesFlag) report?.(FLAG_REPORT);
    this.#takesFlag = false;
    return await this.#run(script, args, call);
  }
}

/** Members that any answer may have: a collection that would grow too large, and children to expire. */
interface Additions {
  readonly tooLarge?: { readonly what: string; readonly id: string; readonly bytes: number };
  readonly expiring?: readonly string[];
}

/** Reads the answer of a script. For anything else the outcome is unknown, so the error is retryable. */
export function readAnswer<Answer extends object>(result: unknown, call: string): Answer {
  const isAnswer = Array.isArray(result) && result.every((text) => typeof text === "string" && text.startsWith("="));
  const document = isAnswer ? readDocument(result.map((text: string) => text.slice(1))) : undefined;
  if (typeof document === "object" && document !== null && !Array.isArray(document)) return document as Answer;
  throw new DriverError(`${call} got an answer that is not that of its script`, { retryable: true });
}

function readDocument([document = "", ...values]: readonly string[]): unknown {
  return readJson(document, (_, member) => {
    if (typeof member !== "object" || member === null) return member;
    if (Object.keys(member).length === 0) return [];
    return Object.hasOwn(member, "at") ? values[Number(Reflect.get(member, "at")) - 1] : member;
  });
}

/** A page of a journal, with complete entries as they are stored. `after`: the one before the first. */
export type StoredPage = Omit<JournalPage, "entries"> & { readonly after: number; readonly entries: readonly string[] };

/** A page of a journal as callers see it. */
export function toJournal({ after, entries, more }: StoredPage): JournalPage {
  const parsed = entries.map((text, index): JournalEntry => {
    const { position, label, outcome } = parseEntry(text);
    return { position, label, seq: after + index + 1, outcome };
  });
  return { entries: parsed, more };
}

/** The message that a complete entry has received. */
export function parseReceived(text: string): MessageRecord {
  const { position, endedAt, outcome } = parseEntry(text);
  const head: EntryHead = JSON.parse(text.slice(0, text.indexOf("\n")));
  const [number, sentAt, messageId, dedupeKey] = head[9]!;
  const received = { position, at: endedAt };
  return { number, messageId, topic: outcome.topic!, dedupeKey, value: outcome.value!, sentAt, received };
}

/** A complete entry as it is stored: JSON, a line feed, and the value. */
export function parseEntry(text: string): HistoryRecord & { outcome: Outcome; endedAt: number } {
  const end = text.indexOf("\n");
  const head: EntryHead = JSON.parse(text.slice(0, end));
  const [position, label, tag, hasValue, topic, startedAt, tookMs, attempts, deadline] = head;
  const value = hasValue && { value: text.slice(end + 1) };
  const outcome: Outcome = { tag, ...value, ...topic !== null && { topic } };
  return { position, label, outcome, startedAt, endedAt: startedAt + tookMs, attempts, deadline };
}

/** The first line of a complete entry. `message`: number, instant, ID and dedupe key of a received one. */
type EntryHead = [
  ...[position: number, label: string, tag: OutcomeTag, hasValue: 0 | 1, topic: string | null],
  ...[startedAt: number, tookMs: number, attempts: number, deadline: number | null],
  message?: [number: number, sentAt: number, messageId: string, dedupeKey: string],
];
