/**
 * Values as the statements return them: a text, and the name of the format beside it.
 *
 * @module
 */

/** What a value is. Inputs and errors have a form of their own. */
export type StoredKind = "value" | "input" | "error";

/** A value of a row. */
export interface Stored {
  readonly kind: StoredKind;
  readonly text: string;
  /** The name of the format; `""` if the row has none. */
  readonly format: string;
}

/** PostgreSQL's texts never have this character. */
const SEPARATOR = "\0";

/** Joins the parts to one text, which passes through the readers of the core. */
export function toStored(text: string, format: string | null, kind: StoredKind = "value"): string {
  return [kind, format ?? "", text].join(SEPARATOR);
}

/** The same for a text that may be missing. */
export function toStoredOrNull(text: string | null, format: string | null, kind?: StoredKind): string | null {
  return text === null ? null : toStored(text, format, kind);
}

/** Splits what {@linkcode toStored} has joined. */
export function fromStored(joined: string): Stored {
  const [kind, format, text] = joined.split(SEPARATOR);
  return { kind: kind as StoredKind, format: format!, text: text! };
}
