/**
 * Messages as the store has them: the encoded message, and whether the sender has checked it.
 *
 * @module
 */

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
