/**
 * Removing workflows that ended.
 *
 * First they are marked, all at once: from then on they are not there. Then their keys are removed, in portions, since one may have many
 * thousands. If that is broken off, the next purge goes on, and so does whoever wants to use the ID again.
 *
 * @module
 */

import { Call } from "../call.ts";
import type { Client } from "../client.ts";
import { type ExtentNews, learned, list } from "../extents.ts";
import { declareEnd, declareParent, declareSchedule, declareWhole, ENDED, ownKeys, withExtent, withKept } from "./parts.ts";

/** How many workflows are marked by one request, and how many keys are removed. */
const MOST_MARKED = 250;
const MOST_REMOVED = 2_000;

/** How often a purge looks again, because others removed what it had found. */
const MOST_LOOKS = 10;

/** `Driver.purge`. */
export async function purge(client: Client, { olderThanMs, limit }: { olderThanMs: number; limit: number }): Promise<{ purged: number }> {
  let purged = 0;
  for (let looks = 0; looks < MOST_LOOKS && purged < limit;) {
    const wanted = limit - purged;
    const { begun, old } = await peek(client, olderThanMs, wanted);
    let kept = 0;
    for (let from = 0; from < old.length; from += MOST_MARKED) {
      const removed = await remove(client, old.slice(from, from + MOST_MARKED));
      purged += removed.marked;
      kept += removed.kept;
    }
    if (begun.length > 0) await finishPurge(client, begun);
    if (old.length < wanted) break;
    // Those that are kept are out of the way from now on.
    if (kept === 0) looks += 1;
  }
  return { purged };
}

/** Removes what is left of workflows that are marked. */
export async function finishPurge(client: Client, ids: readonly string[]): Promise<void> {
  await remove(client, ids.map((id) => ({ id })));
}

/** A workflow that ended, and where it is among those that did. Without a place it was marked before. */
interface Old {
  readonly id: string;
  readonly place?: string;
}

async function peek(client: Client, olderThanMs: number, limit: number): Promise<{ begun: readonly string[]; old: readonly Old[] }> {
  const build = () => {
    const call = new Call(client.keys);
    return call.arguments({ olderThanMs: Math.floor(olderThanMs), limit, ...declareShared(call, client.retention) });
  };
  const { meta } = await client.call<{ begun: object; old: object; expiring: object }>("purgePeek", build);
  await expire(client, meta.expiring);
  return { begun: list<string>(meta.begun), old: list<Old>(meta.old) };
}

function declareShared(call: Call, retention: number | undefined): object {
  declareSchedule(call);
  return { ...declareEnd(call, ENDED, retention), purging: call.key(call.keys.purging) };
}

/** Answers with how many it has marked, and how many their parents may still ask for. */
async function remove(client: Client, workflows: readonly Old[]): Promise<{ marked: number; kept: number }> {
  const token = crypto.randomUUID();
  const build = () => {
    const call = new Call(client.keys);
    const shared = declareShared(call, client.retention);
    for (const { id } of workflows) call.workflow(id);
    const places = new Map(workflows.map(({ id, place }) => [id, place]));
    for (const { id } of workflows) declareParent(call, client.extents.of(id).parent);
    const parts = call.workflows.map((part) => {
      return { ...withKept(call, withExtent(call, part)), place: places.get(part.id), isOld: places.has(part.id) };
    });
    return call.arguments({ channel: client.keys.channel, token, ...shared, workflows: parts });
  };
  const { meta } = await client.call<{ marked: number; kept: number; removals: object }>("purgeMark", build);
  await removeKeys(client, list<Marked>(meta.removals));
  return meta;
}

/** How many children get their expiry by one request, and how many at most after one call. Later calls go on. */
const MOST_EXPIRED = 20;
const MOST_EXPIRED_AFTER_A_CALL = 200;

/**
 * Gives children that their parents need no more the expiry that they would have had at their ends. What the call was for is done by then: so an error is
 * nobody's, and the next call that meets them goes on.
 *
 * @param places Where they are among those that ended, as scripts answer.
 */
export async function expire(client: Client, places: object | undefined): Promise<void> {
  const { retention } = client;
  if (retention === undefined) return;
  const all = [...new Set(list<string>(places))].slice(0, MOST_EXPIRED_AFTER_A_CALL);
  for (let from = 0; from < all.length; from += MOST_EXPIRED) {
    try {
      await expireSome(client, all.slice(from, from + MOST_EXPIRED), retention);
    } catch {
      return;
    }
  }
}

async function expireSome(client: Client, places: readonly string[], retention: number): Promise<void> {
  const build = () => {
    const call = new Call(client.keys);
    declareSchedule(call);
    const expiring = call.key(client.keys.expiring);
    const byId = new Map(places.map((place) => [idAt(place), place]));
    for (const id of byId.keys()) call.workflow(id);
    const workflows = call.workflows.map((part) => {
      const whole = declareWhole(call, part.id, client.extents.of(part.id));
      return { ...withExtent(call, part), ...whole, place: byId.get(part.id) };
    });
    return call.arguments({ retention, expiring, workflows });
  };
  await client.call("expire", build);
}

/** The ID in a place among those that ended: `STATUS`, a space, 14 digits, the ID, a NUL, the name. */
function idAt(place: string): string {
  return place.slice(place.indexOf(" ") + 15, place.indexOf("\0"));
}

/** A workflow that is marked, with what. */
interface Marked {
  readonly token: string;
  readonly extent: ExtentNews;
}

/** Keys to remove, if their workflow is still marked so. */
interface Removal {
  readonly id: string;
  readonly token: string;
  readonly names: readonly string[];
  readonly isLast: boolean;
}

async function removeKeys(client: Client, marked: readonly Marked[]): Promise<void> {
  let portion: Removal[] = [];
  let size = 0;
  for (const { token, extent } of marked) {
    const { id } = extent;
    client.extents.forget(id);
    const names = ownKeys(client.keys, id, learned(client.extents.of(id), extent)).slice(0, -1);
    for (let from = 0; from < names.length; from += MOST_REMOVED) {
      const some = names.slice(from, from + MOST_REMOVED);
      portion.push({ id, token, names: some, isLast: from + MOST_REMOVED >= names.length });
      size += some.length;
      if (size < MOST_REMOVED) continue;
      await removePortion(client, portion);
      [portion, size] = [[], 0];
    }
  }
  if (portion.length > 0) await removePortion(client, portion);
}

async function removePortion(client: Client, portion: readonly Removal[]): Promise<void> {
  const call = new Call(client.keys);
  const removals = portion.map(({ id, token, names, isLast }) => {
    return { id, token, isLast, row: call.key(client.keys.workflow(id)), keys: call.range(names) };
  });
  const document = { removals, purging: call.key(client.keys.purging) };
  await client.call("purgeRemove", () => call.arguments(document));
}
