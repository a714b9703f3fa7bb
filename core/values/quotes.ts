/**
 * Removes the parts of a value from a text about the value.
 *
 * @module
 */

/** Stands for a part that may be data. */
export const HIDDEN = "…";

/**
 * Words for a kind of value, which reveal nothing of the value. Examples are `number` in
 * `expected string, received number` and `undefined` in `Expected string but received undefined`.
 */
export const KINDS: ReadonlySet<string> = new Set(
  ("undefined null NaN nan string number int boolean bigint symbol object array function date map set record promise " +
    "file " +
    "Object Array Function Date Map Set RegExp Promise File Blob Uint8Array").split(" "),
);

/** Longer texts are hidden as a whole, so that the search takes little time. */
const MAX_LENGTH = 2_000;
const MAX_WORDS = 100;

/** The shortest word of an identifier or an address that is looked for. */
const MIN_PART_LENGTH = 4;
const DIGITS = /\d{3,}/g;

const WORD = /[\p{L}\p{N}_]+/gu;

/**
 * The texts of a value that a message may quote: its texts, numbers and dates, keys that are no
 * names of fields, and the words of texts without spaces, such as the host of an email address.
 * Letter case does not matter. A run of three digits or more may be anywhere in the value.
 */
export class Quotes {
  /** Texts in lower case, from their first word to their last. */
  readonly #texts = new Set<string>();
  readonly #digits: string;

  /**
   * @param value The value.
   */
  constructor(value: unknown) {
    const digits: string[] = [];
    for (const leaf of leavesOf(value)) {
      digits.push(...leaf.match(DIGITS) ?? []);
      this.#add(leaf);
    }
    this.#digits = digits.join(" ");
  }

  /**
   * Removes the texts from a message.
   *
   * @param message The message.
   * @param keys More texts to remove.
   */
  remove(message: string, keys: readonly string[] = []): string {
    const lowered = message.toLowerCase();
    // Lower case may have another length, as in "İ". Then the places of words differ.
    if (message.length > MAX_LENGTH || lowered.length !== message.length) return HIDDEN;
    const words = [...lowered.matchAll(WORD)].map(({ 0: word, index }) => ({ start: index, end: index + word.length }));
    if (words.length > MAX_WORDS) return HIDDEN;
    const hidden = new Set(keys.map((key) => normalized(key).text));
    const isHidden = (text: string) => this.#texts.has(text) || hidden.has(text);
    let shown = "";
    let shownTo = 0;
    for (let first = 0; first < words.length; first++) {
      const { start } = words[first]!;
      const last = words.findLastIndex(({ end }, last) => last >= first && isHidden(lowered.slice(start, end)));
      if (last < 0) continue;
      shown += message.slice(shownTo, start) + HIDDEN;
      shownTo = words[last]!.end;
      first = last;
    }
    shown += message.slice(shownTo);
    return shown.replace(DIGITS, (digits) => this.#digits.includes(digits) ? HIDDEN : digits);
  }

  #add(leaf: string): void {
    if (leaf.length > MAX_LENGTH) return;
    const { text, words } = normalized(leaf);
    // Texts with spaces are prose. Their words occur in the words of schemas too.
    const parts = /\s/.test(leaf) ? [] : words.filter(({ length }) => length >= MIN_PART_LENGTH);
    for (const it of [text, ...parts]) if (it !== "" && !KINDS.has(it)) this.#texts.add(it);
  }
}

/** A text from its first word to its last, in lower case, and its words. */
function normalized(text: string): { text: string; words: readonly string[] } {
  const lowered = text.toLowerCase();
  const words = lowered.match(WORD) ?? [];
  const [first = ""] = words;
  const last = words.at(-1) ?? "";
  return { text: lowered.slice(lowered.indexOf(first), lowered.lastIndexOf(last) + last.length), words };
}

/** The texts of everything in a value. */
function* leavesOf(value: unknown): Iterable<string> {
  const seen = new Set<object>();
  const left = [value];
  while (left.length > 0) {
    const part = left.pop();
    if (typeof part === "string" || typeof part === "number" || typeof part === "bigint") yield String(part);
    if (typeof part !== "object" || part === null || seen.has(part)) continue;
    seen.add(part);
    if (part instanceof Date) yield* [String(part), part.toJSON() ?? "", String(part.getTime())];
    else if (part instanceof URL) yield part.href;
    else if (part instanceof Map) { for (const [key, value] of part) left.push(key, value); }
    else if (part instanceof Set) { for (const value of part) left.push(value); }
    else if (!ArrayBuffer.isView(part)) {
      for (const key of Reflect.ownKeys(part)) {
        if (typeof key === "string" && !isFieldName(key)) yield key;
        left.push(partOf(part, key));
      }
    }
  }
}

/** Whether a key looks like the name of a field. Another key may be data, such as that of a record. */
export function isFieldName(key: PropertyKey): boolean {
  return /^\w{1,40}$/.test(String(key));
}

/** Returns a part of a value, which may be of any kind. */
export function partOf(holder: unknown, key: PropertyKey): unknown {
  try {
    return holder instanceof Map ? holder.get(key) : Reflect.get(Object(holder), key);
  } catch {
    return undefined;
  }
}
