/**
 * The trace that an encoded input or message carries. A W3C `traceparent` stands before the text,
 * so it needs no place of its own in the store.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/**
 * The first character of a text with a `traceparent`. A text that begins with this character itself
 * gets a second one, so the mark works for the text of any codec.
 */
const MARK = "~";
/** The length of a `traceparent`. */
const LENGTH = 55;

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
  if (found === undefined || (text!.length > LENGTH && text!.startsWith("00"))) return undefined;
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
  return text.startsWith(MARK) ? MARK + text : text;
}

/** Adds a `traceparent` to a text from {@linkcode toUntraced}. */
export function withTraceparent(text: string, traceparent: string): string {
  return MARK + traceparent + withoutTraceparent(text);
}

/** Returns the codec's text. */
export function withoutTraceparent(text: string): string {
  if (!text.startsWith(MARK)) return text;
  return text[1] === MARK ? text.slice(1) : text.slice(1 + LENGTH);
}

/** Returns the `traceparent` of a text, if it has one. */
export function traceparentOf(text: string): string | undefined {
  return text.startsWith(MARK) ? toTraceparent(text.slice(1, 1 + LENGTH)) : undefined;
}
