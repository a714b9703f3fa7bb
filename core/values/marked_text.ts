/**
 * Marks before an encoded input or message: the W3C `traceparent` that it carries, and whether the
 * sender has checked a message. So neither needs a place of its own in the store.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/**
 * The first character of a text with a `traceparent`. A text that begins with this character itself
 * gets a second one, so the mark works for the text of any codec.
 */
const TRACED = "~";
/** The length of a `traceparent`. */
const TRACEPARENT_LENGTH = 55;

/**
 * A `traceparent`: version, trace, span and flags. IDs of zeros are not legal. Versions after 00 may
 * have more parts.
 */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=$|-)/;

/**
 * Returns a `traceparent` of version 00.
 *
 * @param text A text from elsewhere, such as a header.
 * @returns `undefined` if the text is no `traceparent`.
 */
export function toTraceparent(text: string | undefined): string | undefined {
  const [found] = typeof text === "string" ? TRACEPARENT.exec(text) ?? [] : [];
  if (found === undefined || (text!.length > TRACEPARENT_LENGTH && text!.startsWith("00"))) return undefined;
  return `00${found.slice(2)}`;
}

/** Returns the `traceparent` of an option. @throws {ValidationError} If it is not legal. */
export function checkTraceparent(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const traceparent = toTraceparent(text);
  if (traceparent !== undefined) return traceparent;
  throw new ValidationError(`Reading traceparent ${quote(String(text))}: it must be one of W3C Trace Context`);
}

/** Marks a text that could be taken for one with a `traceparent`. */
export function toUntraced(text: string): string {
  return text.startsWith(TRACED) ? TRACED + text : text;
}

/** Adds a `traceparent` to a text from {@linkcode toUntraced}. */
export function withTraceparent(text: string, traceparent: string): string {
  return TRACED + traceparent + withoutTraceparent(text);
}

/** Returns the codec's text. */
export function withoutTraceparent(text: string): string {
  if (!text.startsWith(TRACED)) return text;
  return text[1] === TRACED ? text.slice(1) : text.slice(1 + TRACEPARENT_LENGTH);
}

/** Returns the `traceparent` of a text, if it has one. */
export function traceparentOf(text: string): string | undefined {
  return text.startsWith(TRACED) ? toTraceparent(text.slice(1, 1 + TRACEPARENT_LENGTH)) : undefined;
}

/** Marks the text of a message that was checked by its topic's schema. */
const CHECKED = "+";
/** Marks the text of an unchecked message that itself begins with one of the two marks. */
const UNCHECKED = "=";

/**
 * Returns a message's text as it is stored. The text of a message that the sender has checked is
 * marked. An unchecked text is marked only if it begins with one of the marks itself. The marks
 * work for the text of any codec.
 */
export function toStored(text: string, isChecked: boolean): string {
  if (isChecked) return CHECKED + text;
  return text.startsWith(CHECKED) || text.startsWith(UNCHECKED) ? UNCHECKED + text : text;
}

/** Returns the text of a stored message, and whether the sender has checked the message. */
export function fromStored(stored: string): { text: string; isChecked: boolean } {
  const isChecked = stored.startsWith(CHECKED);
  return { text: isChecked || stored.startsWith(UNCHECKED) ? stored.slice(1) : stored, isChecked };
}
