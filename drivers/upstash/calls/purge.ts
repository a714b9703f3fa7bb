/**
 * Removing workflows that ended.
 *
 * @module
 */

import type { ScriptCalls } from "../script_calls.ts";

/** How many workflows one request removes. */
const MAX_REMOVED = 250;

/** How often a purge looks, if other purges remove the workflows that it finds. */
const MAX_LOOKS = 10;

/** `Driver.purge`. */
export async function purge(
  calls: ScriptCalls,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<{ purged: number }> {
  let purged = 0;
  for (let looks = 0; looks < MAX_LOOKS && purged < limit;) {
    const wanted = limit - purged;
    const places = await findEnded(calls, olderThanMs, wanted);
    let kept = 0;
    for (let from = 0; from < places.length; from += MAX_REMOVED) {
      const removed = await remove(calls, places.slice(from, from + MAX_REMOVED));
      purged += removed.purged;
      kept += removed.kept;
    }
    if (places.length < wanted) break;
    // Children that are kept are out of the way from now on.
    if (kept === 0) looks += 1;
  }
  return { purged };
}

/** The places of workflows among those that ended. */
async function findEnded(calls: ScriptCalls, olderThanMs: number, limit: number): Promise<readonly string[]> {
  const document = { olderThanMs: Math.floor(olderThanMs), limit };
  return (await calls.call<{ places: string[] }>("purgePeek", calls.keys.shared, document)).places;
}

/**
 * Returns how many workflows were removed, and how many stay because their parents may still ask
 * for them.
 */
async function remove(
  { call, keys }: ScriptCalls,
  places: readonly string[],
): Promise<{ purged: number; kept: number }> {
  return await call("purge", keys.at(places), { places });
}
