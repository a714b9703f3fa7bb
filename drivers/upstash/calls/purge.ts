/**
 * Removing workflows that ended.
 *
 * @module
 */

import { list } from "../answer.ts";
import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { ENDED, ScriptRequest } from "../script_request.ts";

/** How many workflows one request removes. */
const MAX_REMOVED = 250;

/** How often a purge looks again, because others removed what it had found. */
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

function endedRequest(calls: ScriptCalls): ScriptRequest {
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  request.shareEnded(calls.retention);
  request.shareIndexes(...ENDED);
  return request;
}

/** The places of workflows among those that ended. */
async function findEnded(calls: ScriptCalls, olderThanMs: number, limit: number): Promise<readonly string[]> {
  const document = { olderThanMs: Math.floor(olderThanMs), limit, retention: calls.retention };
  const { meta } = await calls.call<{ places: object; expiring: object }>("purgePeek", endedRequest(calls), document);
  await expire(calls, meta.expiring);
  return list<string>(meta.places);
}

/** Returns how many it has removed, and how many their parents may still ask for. */
async function remove(calls: ScriptCalls, places: readonly string[]): Promise<{ purged: number; kept: number }> {
  const request = endedRequest(calls);
  declarePlaces(request, places);
  const { meta } = await calls.call<{ purged: number; kept: number }>("purge", request, {});
  return meta;
}

/** Declares all keys of workflows that ended. */
function declarePlaces(request: ScriptRequest, places: readonly string[]): void {
  for (const place of places) {
    request.workflow(idAt(place), ...OWN_KINDS);
    request.place(idAt(place), place);
  }
}

/** The ID in a place among those that ended: `STATUS`, a space, 14 digits, the ID, a NUL, the name. */
function idAt(place: string): string {
  return place.slice(place.indexOf(" ") + 15, place.indexOf("\0"));
}

/** How many children get their expiry by one request, and how many at most after one call. Later calls go on. */
const MAX_EXPIRED = 100;
const MAX_EXPIRED_AFTER_A_CALL = 200;

/**
 * Gives children that their parents need no more the expiry that they would have had at their ends. The call that found them is done, so an
 * error here is dropped, and the next call that meets them goes on.
 *
 * @param places Where they are among those that ended, as scripts answer.
 */
export async function expire(calls: ScriptCalls, places: object | undefined): Promise<void> {
  const { retention } = calls;
  if (retention === undefined) return;
  const all = [...new Set(list<string>(places))].slice(0, MAX_EXPIRED_AFTER_A_CALL);
  for (let from = 0; from < all.length; from += MAX_EXPIRED) {
    const request = new ScriptRequest(calls.keys, "expiring");
    request.shareSchedule();
    declarePlaces(request, all.slice(from, from + MAX_EXPIRED));
    try {
      await calls.call("expire", request, { retention });
    } catch {
      return;
    }
  }
}
