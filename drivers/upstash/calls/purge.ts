/**
 * `Driver.purge`.
 *
 * @module
 */

import type { ScriptCalls } from "../script_calls.ts";

/** How many workflows one request removes. */
const MAX_REMOVED = 250;

/** How often a purge looks, if other purges remove the workflows that it finds. */
const MAX_LOOKS = 10;

/** `Driver.purge`. It first looks which workflows it may remove, then removes them. */
export async function purge(
  { call, keys }: ScriptCalls,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<{ purged: number }> {
  let purged = 0;
  for (let looks = 0; looks < MAX_LOOKS && purged < limit;) {
    const look = { olderThanMs: Math.floor(olderThanMs), limit: limit - purged };
    const { places: found } = await call<{ places: string[] }>("purgePeek", [], look);
    let kept = 0;
    for (let from = 0; from < found.length; from += MAX_REMOVED) {
      const places = found.slice(from, from + MAX_REMOVED);
      const removed = await call<{ purged: number; kept: number }>("purge", keys.ofPlaces(places), { places });
      purged += removed.purged;
      kept += removed.kept;
    }
    if (found.length < look.limit) break;
    // Children that their parents may still ask for were kept, and are out of the way from now on.
    if (kept === 0) looks += 1;
  }
  return { purged };
}
