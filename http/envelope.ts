/**
 * Bodies in the library's own content type: JSON in which each value is encoded by itself.
 *
 * @module
 */

import { wireCodec } from "../core/values/codec.ts";

export { decodeParts as decodeValue } from "../core/values/codec.ts";

/** Text that is already JSON. */
export class JsonText {
  /** The text. */
  readonly text: string;

  /**
   * Wraps a text.
   *
   * @param text The text.
   */
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Encodes a value as a member of a body in `PARLEY_JSON`. It throws if the value cannot be encoded.
 */
export function encodeValue(value: unknown): JsonText {
  return new JsonText(wireCodec.encode(value));
}

/**
 * The text of a body in `PARLEY_JSON`. The values in the body come from {@linkcode encodeValue}.
 */
export function envelope(body: unknown): string {
  if (body instanceof JsonText) return body.text;
  if (typeof body !== "object" || body === null) return JSON.stringify(body);
  if (Array.isArray(body)) return `[${body.map(envelope).join(",")}]`;
  const members = Object.entries(body).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${envelope(member)}`).join(",")}}`;
}
