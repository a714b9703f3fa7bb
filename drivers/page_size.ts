/**
 * How many items a page holds, for the stores that cut their pages in this process.
 *
 * @module
 */

/** How many characters of values a page of a journal or a stream holds. */
export const PAGE_LENGTH = 1_048_576;

/** How many characters of values a page of a list holds. */
export const LIST_LENGTH = 4 * 1_048_576;

/** Longer errors are left out of a list without values, in characters. */
export const MAX_LISTED_ERROR_LENGTH = 4_096;

/** The bounds of a page. */
export interface PageSize {
  readonly available: number;
  readonly limit: number;
  /** A page ends before it becomes longer than this, but always has its first item. */
  readonly length: number;
  /** A bound for the page that holds even for its first item. */
  readonly room?: number;
}

/** Returns how many items fit a page. */
export function pageSize(
  { available, limit, length, room = Infinity }: PageSize,
  lengthOf: (index: number) => number,
): number {
  const most = Math.min(available, limit);
  let total = 0;
  let count = 0;
  while (count < most) {
    total += lengthOf(count);
    if (total > room || (count > 0 && total > length)) break;
    count += 1;
  }
  return count;
}
