/**
 * Reads one page of a list, or all of them.
 *
 * @module
 */

import type { Options } from "./options.ts";

/** What was read of a list. */
export interface Pages<Item, Place> {
  readonly items: Item[];
  /** Where the next page begins. Absent if there is none. */
  readonly next?: Place;
}

/** A page. */
interface Page<Item, Place> {
  readonly items: readonly Item[];
  readonly next?: Place | undefined;
}

/** The most items of a page. */
const MAX_PAGE = 1_000;

/** The most items to list that the options ask for. Only with `--all` it may be more than one page. */
export function readLimit(options: Options): { isAll: boolean; limit: number | undefined } {
  const isAll = options.flag("all");
  return { isAll, limit: options.count("limit", 1, isAll ? Number.MAX_SAFE_INTEGER : MAX_PAGE) };
}

/**
 * Reads pages.
 *
 * @param options `isAll`: whether to read all of them. `limit`: the most items in all. `first`: where
 * the first one begins. `report`: gets the number of items so far.
 * @param read Reads the page that begins at a place, with at most so many items.
 */
export async function readPages<Item, Place>(
  { isAll, limit, first, report }: {
    isAll: boolean;
    limit: number | undefined;
    first: Place | undefined;
    report: (done: string) => void;
  },
  read: (place: Place | undefined, limit: number | undefined) => Promise<Page<Item, Place>>,
): Promise<Pages<Item, Place>> {
  const items: Item[] = [];
  for (let place = first;;) {
    const left = (limit ?? Infinity) - items.length;
    const page = await read(place, isAll ? Math.min(left, MAX_PAGE) : limit);
    for (const item of page.items) items.push(item);
    if (page.next === undefined) return { items };
    if (!isAll || page.items.length >= left) return { items, next: page.next };
    report(`${items.length} so far`);
    place = page.next;
  }
}
