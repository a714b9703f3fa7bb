/**
 * IDs and keys as segments of a path.
 *
 * @module
 */

/** Before the names of the adapter's own parameters: the path that it is mounted at may have an `id` or a `key`, too, and that would come first. */
const OWN = "parley_";

/** The path of a route, for Hono. */
export function toPattern(path: string): string {
  return path.replace(/:(\w+)/g, `:${toParameter("$1")}`);
}

/** What Hono knows a parameter of a route by. */
export function toParameter(name: string): string {
  return `${OWN}${name}`;
}

/** `.` and `..`, which every URL parser takes away even if they are percent-encoded, and what stands for them. */
const DOTS = /^\.{1,2}~*$/;

/** An ID or a key as a segment: percent-encoded. A segment of one or two dots has a `~` behind it, and one that has those one more. */
export function toSegment(text: string): string {
  return encodeURIComponent(DOTS.test(text) ? `${text}~` : text);
}

/** The ID or key of a segment that is decoded already. */
export function fromSegment(decoded: string): string {
  return DOTS.test(decoded) && decoded.endsWith("~") ? decoded.slice(0, -1) : decoded;
}
