/**
 * Removing workflows that ended.
 *
 * @module
 */

import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";

/** How many workflows one request removes. */
const MAX_REMOVED = 250;

/** How often a purge looks again, because other purges removed the workflows that it had found. */
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
  const { places, expiring } = await calls.call<{ places: string[]; expiring: string[] }>(
    "purgePeek",
    calls.keys.shared,
    document,
  );
  await expire(calls, expiring);
  return places;
}

/** Returns how many workflows were removed, and how many stay because their parents may still ask for them. */
async function remove(calls: ScriptCalls, places: readonly string[]): Promise<{ purged: number; kept: number }> {
  return await calls.call("purge", keysAt(calls, places), { places });
}

/** Every key of the workflows at these places. */
function keysAt({ keys }: ScriptCalls, places: readonly string[]): string[] {
  return [...keys.shared, ...places.flatMap((place) => keys.of(idAt(place), ...OWN_KINDS))];
}

/** The ID in a place among ended workflows: `STATUS`, a space, 14 digits, the ID, a NUL, the name. */
function idAt(place: string): string {
  return place.slice(place.indexOf(" ") + 15, place.indexOf("\0"));
}

/** How many children get their expiry by one request, and how many at most after one call. Later calls go on. */
const MAX_EXPIRED = 100;
const MAX_EXPIRED_AFTER_A_CALL = 200;

/**
 * Gives children that their parents need no more the expiry that they would have had at their ends. The call that found
 * them has succeeded, so an error here is dropped, and the next call that finds them goes on.
 *
 * @param places Their places among ended workflows, as scripts answer.
 */
export async function expire(calls: ScriptCalls, places: readonly string[]): Promise<void> {
  const all = [...new Set(places)].slice(0, MAX_EXPIRED_AFTER_A_CALL);
  for (let from = 0; from < all.length; from += MAX_EXPIRED) {
    const some = all.slice(from, from + MAX_EXPIRED);
    try {
      await calls.call("expire", keysAt(calls, some), { places: some });
    } catch {
      return;
    }
  }
}
