/// <reference lib="dom" />
/**
 * Times, durations and values as people read them.
 *
 * @module
 */

import type { SerializedError } from "../../../core/values/serialized_error.ts";
import { button, type Child, element } from "./dom.ts";

const UNITS: readonly [name: string, ms: number][] = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], [
  "s",
  1_000,
]];

/** A duration in its two largest units, such as `2 h 5 min` or `34 ms`. */
export function durationText(ms: number): string {
  const rounded = Math.max(0, Math.round(ms));
  if (rounded < 1_000) return `${rounded} ms`;
  if (rounded < 60_000) return `${(rounded / 1_000).toFixed(rounded < 10_000 ? 1 : 0)} s`;
  const index = UNITS.findIndex(([, size]) => rounded >= size);
  const [[name, size], [lesser, part]] = [UNITS[index]!, UNITS[index + 1]!];
  const rest = Math.floor(rounded % size / part);
  return `${Math.floor(rounded / size)} ${name}${rest > 0 ? ` ${rest} ${lesser}` : ""}`;
}

/** An instant, with the exact time when it is pointed at. */
export function instant(ms: number): HTMLElement {
  const date = new Date(ms);
  return element("time", { datetime: date.toISOString(), title: date.toISOString() }, date.toLocaleString());
}

/** How many characters of a value are shown at first. */
const SHOWN = 2_000;

/** A value as JSON. A long one is cut, and a button shows the rest. */
export function valueBlock(value: unknown, unreadable = false): HTMLElement {
  if (unreadable) return element("p.note", {}, "This value cannot be decoded here.");
  const text = JSON.stringify(value, null, 2) ?? "undefined";
  const pre = element("pre", { tabindex: 0 }, text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
  if (text.length <= SHOWN) return pre;
  const all = button(`Show all ${text.length.toLocaleString()} characters`, () => {
    pre.textContent = text;
    all.remove();
  });
  return element("div", {}, pre, all);
}

/** The value of one line, in at most some characters. */
export function valueLine(value: unknown, length = 120): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** An error with its code, fields and causes. */
export function errorBlock(error: SerializedError): HTMLElement {
  const { name, message, cause, fields } = error;
  return element(
    "div.error",
    {},
    element("p", {}, element("strong", {}, name), `: ${message}`),
    fields && Object.keys(fields).length > 0 && valueBlock(fields),
    causeOf(cause),
  );
}

function causeOf(cause: unknown): Child {
  if (cause === undefined || cause === null) return null;
  const isError = typeof cause === "object" && "name" in cause && "message" in cause;
  return element(
    "div.cause",
    {},
    element("p", {}, "Cause"),
    isError ? errorBlock(cause as SerializedError) : valueBlock(cause),
  );
}
