/**
 * JSON from a store, which may be none.
 *
 * @module
 */

/** Parses JSON, as `JSON.parse` does. Returns `undefined` for a text that is not JSON. */
export function readJson(text: string, revive?: (name: string, member: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive);
  } catch {
    return undefined;
  }
}
