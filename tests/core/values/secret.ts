/**
 * A value that no message may show, and how to look for it.
 *
 * @module
 */

/** Stands for a payload. */
export const SECRET = "hunter2-4242";

/** Any error with everything that can be reached from it, its hidden fields too. */
export function everythingIn(value: unknown, seen: Set<unknown> = new Set()): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  return Reflect.ownKeys(value).map((key) => `${String(key)}=${everythingIn(Reflect.get(value, key), seen)}`).join(
    "\n",
  );
}
