/**
 * IDs and keys as segments of a path.
 *
 * @module
 */

/**
 * `.` and `..`, and their stand-ins. URL parsers remove dot segments, even percent-encoded ones.
 */
const DOTS = /^\.{1,2}~*$/;

/**
 * An ID or a key as a percent-encoded segment of a path. A segment of one or two dots, with or
 * without trailing `~`, gets one more `~`.
 */
export function toSegment(text: string): string {
  return encodeURIComponent(DOTS.test(text) ? `${text}~` : text);
}

/** The ID or key of a percent-decoded segment. */
export function fromSegment(decoded: string): string {
  return DOTS.test(decoded) && decoded.endsWith("~") ? decoded.slice(0, -1) : decoded;
}
