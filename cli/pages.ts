/**
 * Reads one page of a list, or all of them.
 *
 * @module
 */

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

/**
 * Reads pages.
 *
 * @param options `isAll`: whether to read all of them. `first`: where the first one begins.
 * `report`: gets the number of items so far.
 * @param read Reads the page that begins at a place.
 */
export async function readPages<Item, Place>(
  { isAll, first, report }: { isAll: boolean; first: Place | undefined; report: (done: string) => void },
  read: (place: Place | undefined) => Promise<Page<Item, Place>>,
): Promise<Pages<Item, Place>> {
  const items: Item[] = [];
  for (let place = first;;) {
    const page = await read(place);
    for (const item of page.items) items.push(item);
    if (page.next === undefined) return { items };
    if (!isAll) return { items, next: page.next };
    report(`${items.length} so far`);
    place = page.next;
  }
}
