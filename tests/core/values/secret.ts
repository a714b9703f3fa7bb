/**
 * A value that no message may show, and a way to find it.
 *
 * @module
 */

/** A payload that must stay secret. */
export const SECRET = "hunter2-4242";

/** Returns a text of a value and everything that it refers to, including hidden fields. */
export function everythingIn(value: unknown, seen: Set<unknown> = new Set()): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  return Reflect.ownKeys(value).map((key) => `${String(key)}=${everythingIn(Reflect.get(value, key), seen)}`).join(
    "\n",
  );
}
