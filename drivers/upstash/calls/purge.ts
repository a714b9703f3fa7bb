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
import { declareEnd, declareSchedule, ownKeys, withExtent } from "./parts.ts";

/** How many workflows are marked by one request, and how many keys are removed. */
const MOST_MARKED = 250;
const MOST_REMOVED = 2_000;

/** How often a purge looks again, because others removed what it had found. */
const MOST_LOOKS = 10;

/** `Driver.purge`. */
export async function purge(client: Client, { olderThanMs, limit }: { olderThanMs: number; limit: number }): Promise<{ purged: number }> {
  let purged = 0;
  for (let looks = 0; looks < MOST_LOOKS && purged < limit; looks++) {
    const wanted = limit - purged;
    const { begun, old } = await peek(client, olderThanMs, wanted);
    for (let from = 0; from < old.length; from += MOST_MARKED) purged += await remove(client, old.slice(from, from + MOST_MARKED));
    if (begun.length > 0) await finishPurge(client, begun);
    if (old.length < wanted) break;
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
    return call.arguments({ olderThanMs: Math.floor(olderThanMs), limit, ...declareShared(call) });
  };
  const { meta } = await client.call<{ begun: object; old: object }>("purgePeek", build);
  return { begun: list<string>(meta.begun), old: list<Old>(meta.old) };
}

function declareShared(call: Call): object {
  declareSchedule(call);
  return { ...declareEnd(call, [], "CANCELLED", 0), purging: call.key(call.keys.purging) };
}

/** Answers with how many it has marked. */
async function remove(client: Client, workflows: readonly Old[]): Promise<number> {
  const token = crypto.randomUUID();
  const build = () => {
    const call = new Call(client.keys);
    const shared = declareShared(call);
    for (const { id } of workflows) call.workflow(id);
    const places = new Map(workflows.map(({ id, place }) => [id, place]));
    const parts = call.workflows.map((part) => ({ ...withExtent(call, part), place: places.get(part.id) }));
    return call.arguments({ channel: client.keys.channel, token, ...shared, workflows: parts });
  };
  const { meta } = await client.call<{ marked: number; removals: object }>("purgeMark", build);
  await removeKeys(client, list<Marked>(meta.removals));
  return meta.marked;
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
