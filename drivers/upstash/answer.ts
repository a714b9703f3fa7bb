/**
 * The answers of scripts: a list of texts, a JSON document and then the values. Each text begins
 * with `=`. In the document `{"at": 3}` stands for the third value, and `{}` for an empty list,
 * because cjson writes that so.
 *
 * @module
 */

import type { JournalEntry, JournalPage, OutcomeTag } from "../../core/driver/driver.ts";
import { DriverError } from "../../core/errors.ts";

/**
 * Reads the answer of a script.
 *
 * @throws {DriverError} If the answer is not that of a script. The outcome of the call is unknown then.
 */
export function readAnswer<Answer extends object>(result: unknown, call: string): Answer {
  const isAnswer = Array.isArray(result) && result.every((text) => typeof text === "string" && text.startsWith("="));
  const document = isAnswer ? readDocument(result.map((text: string) => text.slice(1))) : undefined;
  if (typeof document === "object" && document !== null && !Array.isArray(document)) return document as Answer;
  throw new DriverError(`${call} got an answer that is not that of its script`, { retryable: true });
}

function readDocument([document = "", ...values]: readonly string[]): unknown {
  const fill = (member: unknown) => {
    if (typeof member !== "object" || member === null) return member;
    if (Object.keys(member).length === 0) return [];
    return Object.hasOwn(member, "at") ? values[Number(Reflect.get(member, "at")) - 1] : member;
  };
  try {
    return JSON.parse(document, (_, member) => fill(member));
  } catch {
    return undefined;
  }
}

/** A page of a journal, with complete entries as they are stored. `after`: the one before the first. */
export interface StoredPage {
  readonly after: number;
  readonly entries: readonly string[];
  readonly more: boolean;
}

/** A page of a journal as callers see it. */
export function toJournal({ after, entries, more }: StoredPage): JournalPage {
  const parsed = entries.map((text, index): JournalEntry => ({ seq: after + index + 1, ...parseEntry(text) }));
  return { entries: parsed, more };
}

/** A complete entry as it is stored: JSON, a line feed, and the value. */
export function parseEntry(text: string): Omit<JournalEntry, "seq"> {
  const end = text.indexOf("\n");
  const head: [number, string, OutcomeTag, 0 | 1, string?] = JSON.parse(text.slice(0, end));
  const [position, label, tag, hasValue, topic] = head;
  const value = hasValue && { value: text.slice(end + 1) };
  return { position, label, outcome: { tag, ...value, ...topic !== undefined && { topic } } };
}
