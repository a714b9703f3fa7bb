/**
 * Reads the default format of DBOS apps in TypeScript, which is that of the package `superjson`.
 *
 * @module
 */

import SuperJSON from "superjson";

/** The member by which DBOS marks such a text, and its value. */
const MARK = ["__dbos_serializer", "superjson"] as const;

const reader = new SuperJSON();
// DBOS registers this one. Types that an app registers are unknown here, and make a value unreadable.
reader.registerCustom<Uint8Array, number[]>({
  isApplicable: (value): value is Uint8Array => value instanceof Uint8Array,
  serialize: (bytes) => [...bytes],
  deserialize: (numbers) => Uint8Array.from(numbers),
}, "Buffer");

/** Reads a text. It throws if the text cannot be read. */
export function readSuperjson(text: string): unknown {
  const parsed = JSON.parse(text);
  if (!isMarked(parsed)) throw new TypeError("it has no mark of superjson");
  // A value without types is the usual case.
  return parsed.meta === undefined ? parsed.json : reader.deserialize(parsed);
}

/** Whether DBOS has written a text in this format. Early versions did not name the format beside it. */
export function looksLikeSuperjson(text: string): boolean {
  return text.startsWith('{"json":') && text.endsWith(`"${MARK[0]}":"${MARK[1]}"}`);
}

function isMarked(value: unknown): value is Parameters<typeof reader.deserialize>[0] {
  return typeof value === "object" && value !== null && Reflect.get(value, MARK[0]) === MARK[1] && "json" in value;
}
