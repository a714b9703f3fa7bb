/**
 * Text for terminals: escaped values, and tables.
 *
 * @module
 */

import { wallClock } from "../core/time/clock.ts";
import { toPlainValue } from "../core/values/plain_value.ts";

/**
 * Matches what must not reach a terminal: control characters, line separators, invisible
 * characters and those that turn the direction of a text. Two joiners remain, because scripts and
 * emoji need them.
 */
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };

/** Escapes what could change a terminal, as JSON does. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (unsafe) => SHORT[unsafe] ?? toUnits(unsafe));
}

/** Writes each UTF-16 unit of a text as `\u` and four digits. */
function toUnits(text: string): string {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** Quotes an ID, a name or a key. */
export function quoted(text: string): string {
  return escapeText(JSON.stringify(text));
}

/** Shows an ID in a table, plain if it can be copied into a shell and read back, else quoted. */
export function shownName(text: string): string {
  return /^[^\s"'\\]+$/.test(text) && escapeText(text) === text ? text : quoted(text);
}

/**
 * A JSON document in one line. Characters that `JSON.stringify` leaves as they are, and that a
 * terminal would obey, are escaped.
 */
export function toJson(value: unknown): string {
  const plain = toPlainValue(value, (reason) => new RangeError(`Writing the result as JSON: ${reason}`));
  return (JSON.stringify(plain) ?? "null").replace(UNSAFE, toUnits);
}

/** Writes an item of a list as JSON. A value that is too large for JSON is left out, and breaks no list. */
export function toItemJson(item: unknown): string {
  try {
    return toJson(item);
  } catch (error) {
    if (!(error instanceof RangeError && typeof item === "object" && item !== null)) throw error;
    const { value: _value, ...rest } = item as { value?: unknown };
    if ("value" in item) return toJson({ ...rest, unreadable: true });
    if ("workflowId" in item) return toJson({ ...withoutValues(item), unreadable: ["input", "output"] });
    throw error;
  }
}

function withoutValues(info: object): object {
  return Object.fromEntries(Object.entries(info).filter(([name]) => name !== "input" && name !== "output"));
}

/** Shows a value in a table, in one line. */
export function shownValue(item: { value?: unknown; unreadable?: true }): string {
  if (item.unreadable) return "(cannot be decoded here)";
  if (item.value === undefined) return "";
  try {
    return toJson(item.value);
  } catch (error) {
    if (error instanceof RangeError) return "(too large to be shown as JSON)";
    throw error;
  }
}

/** Shows an instant in UTC, with whole seconds. */
export function shownInstant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

type Unit = readonly [ms: number, unit: string];

const UNITS: readonly Unit[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
];

/** Shows a length of time with its two largest units, such as `3m 5s`. */
export function shownDuration(ms: number): string {
  const length = Math.abs(ms);
  const first = UNITS.findIndex(([size]) => length >= size);
  if (first === -1) return `${Math.floor(length)}ms`;
  const [[size, unit], [part, partUnit] = [0, ""]] = UNITS.slice(first) as [Unit, Unit?];
  const rest = part > 0 ? Math.floor(length % size / part) : 0;
  return `${Math.floor(length / size)}${unit}${rest > 0 ? ` ${rest}${partUnit}` : ""}`;
}

/** Shows how long ago an instant was, or how long it is until then. */
export function shownAge(ms: number, now: number = wallClock.now()): string {
  return ms > now ? `in ${shownDuration(ms - now)}` : `${shownDuration(now - ms)} ago`;
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Characters of two columns: emoji, and those of East Asia. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;

/** The columns that a text takes. */
function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += WIDE.test(segment) ? 2 : /^\p{M}+$/u.test(segment) ? 0 : 1;
  }
  return width;
}

/** Cuts a text to a number of columns, with `…` at the end. */
export function cut(text: string, columns: number): string {
  // A longer text is cut in any case, and need not be segmented as a whole.
  const start = text.slice(0, 4 * columns);
  if (start.length === text.length && widthOf(text) <= columns) return text;
  let shown = "";
  let width = 1;
  for (const { segment } of graphemes.segment(start)) {
    width += widthOf(segment);
    if (width > columns) break;
    shown += segment;
  }
  return `${shown}…`;
}

/** The columns of the last cell of a row if there is no terminal. */
const DEFAULT_LAST_WIDTH = 200;

/**
 * Lines up rows of cells below their heads. Columns without any content are left out. The last
 * column is cut at the width of the terminal.
 *
 * @param width The columns of the terminal, if there is one.
 */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], width?: number): string {
  const used = heads.flatMap((_, index) => rows.some((row) => row[index] !== "") ? [index] : []);
  const lines = [heads, ...rows].map((row) => used.map((index) => row[index] ?? ""));
  const widths = used.map((_, index) => lines.reduce((most, line) => Math.max(most, widthOf(line[index]!)), 0));
  const before = widths.slice(0, -1).reduce((sum, it) => sum + it + 2, 0);
  const last = width === undefined ? DEFAULT_LAST_WIDTH : Math.max(width - before, 20);
  const pad = (cell: string, index: number) =>
    index === widths.length - 1 ? cut(cell, last) : cell + " ".repeat(widths[index]! - widthOf(cell) + 2);
  return lines.map((line) => `${line.map(pad).join("").trimEnd()}\n`).join("");
}
