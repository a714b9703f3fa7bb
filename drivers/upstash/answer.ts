/**
 * The answers of scripts.
 *
 * @module
 */

import type {
  JournalEntry,
  JournalPage,
  Outcome,
  OutcomeTag,
  WorkflowRecord,
  WorkflowStatus,
} from "../../core/driver/driver.ts";
import { DriverError } from "../../core/errors.ts";

/** What a script answered: its document, and the values that the document refers to. */
export interface Answer<Meta> {
  readonly meta: Meta;
  /** The value at a place. */
  value(place: number): string;
  /** The value at a place, if the document names one. */
  optional(place: number | undefined): string | null;
}

/** Where values are that follow each other. */
export interface ValuesPart {
  readonly at: number;
  readonly count: number;
}

/** A page of a journal. */
export interface JournalPart extends ValuesPart {
  readonly after: number;
  readonly more: boolean;
}

/** A row. */
export interface RecordPart {
  readonly id: string;
  readonly name: string;
  readonly status: WorkflowStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly attempts: number;
  /** What it waits for, if it is suspended. */
  readonly waiting: { readonly labels: object; readonly till?: number } | false | undefined;
  readonly input?: number;
  readonly output?: number;
  readonly error?: number;
  /** While it is parked. */
  readonly problem?: number;
  readonly parks: number;
}

/**
 * Reads the answer of a script.
 *
 * @throws {DriverError} If it is none: something else has answered, and nobody knows what became of the call.
 */
export function readAnswer<Meta>(result: unknown, call: string): Answer<Meta> {
  const isAnswer = Array.isArray(result) && result.every((text) => typeof text === "string" && text.startsWith("="));
  const meta = isAnswer ? readDocument(result[0]?.slice(1)) : undefined;
  if (meta === undefined) {
    throw new DriverError(`${call} got an answer that is not that of its script`, { retryable: true });
  }
  const value = (place: number) => (result as string[])[place]!.slice(1);
  return {
    meta: meta as Meta,
    value,
    optional: (place) => place === undefined ? null : value(place),
  };
}

/** `undefined` if it is no object. */
function readDocument(text: string = ""): object | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null && !Array.isArray(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

/** The values of a part. */
export function valuesOf(answer: Answer<unknown>, { at, count }: ValuesPart): string[] {
  return Array.from({ length: count }, (_, index) => answer.value(at + index));
}

/** A row as callers see it. */
export function toRecord(answer: Answer<unknown>, row: RecordPart): WorkflowRecord {
  return {
    workflowId: row.id,
    name: row.name,
    status: row.status,
    waiting: row.waiting
      ? { operations: [...list<string>(row.waiting.labels)], until: row.waiting.till ?? null }
      : null,
    input: answer.optional(row.input) ?? "",
    output: answer.optional(row.output),
    error: answer.optional(row.error),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    recoveryAttempts: row.attempts,
    problem: answer.optional(row.problem),
    parks: row.parks,
  };
}

/** A page of a journal as callers see it. */
export function toJournal(answer: Answer<unknown>, page: JournalPart): JournalPage {
  const entries = valuesOf(answer, page).map((text, index): JournalEntry => ({
    seq: page.after + index + 1,
    ...parseEntry(text),
  }));
  return { entries, more: page.more };
}

/** A complete entry as it is stored: JSON, a line feed, and the value. */
export function parseEntry(text: string): Omit<JournalEntry, "seq"> {
  const end = text.indexOf("\n");
  const [position, label, tag, hasValue, topic]: [number, string, OutcomeTag, 0 | 1, string?] = JSON.parse(
    text.slice(0, end),
  );
  return { position, label, outcome: toOutcome(tag, hasValue ? text.slice(end + 1) : undefined, topic) };
}

/** An outcome with the members that it has. */
export function toOutcome(tag: OutcomeTag, value: string | undefined, topic: string | undefined): Outcome {
  return { tag, ...(value !== undefined && { value }), ...(topic !== undefined && { topic }) };
}

/** The list, also where it is empty: cjson writes an empty list as `{}`. */
export function list<T>(items: readonly T[] | object | undefined): readonly T[] {
  return Array.isArray(items) ? items : [];
}
