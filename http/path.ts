/**
 * IDs and keys as segments of a path.
 *
 * @module
 */

/**
 * Before the names of the adapter's own parameters: the path that it is mounted at may have an `id`, a `key` or a `parley_id`, too, and that would come
 * first.
 */
const OWN = "_parley_own_";

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

/** What is before the path of an absolute URL. A `Host` may be anything that a stranger likes, and then `new URL()` throws. */
const AUTHORITY = /^[^/]*\/\/[^/]*/;

/** The path of a request as it came, fit for a header: in ASCII, and with one slash in front, for else it would be another server's. */
export function pathOf(url: string): string {
  const [path = ""] = url.replace(AUTHORITY, "").split(/[?#]/, 1);
  return path.toWellFormed().replace(/^[\\/]+/, "/").replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/** The URL of a request, or where its `Host` is in no URL, one that `new Request()` takes. */
export function toLegalUrl(url: string): string {
  return URL.canParse(url) ? url : url.replace(AUTHORITY, "http://host.invalid");
}
