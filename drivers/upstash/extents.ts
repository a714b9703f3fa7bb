/**
 * How far the lists of workflows reach, as far as this driver has heard.
 *
 * A script may touch only keys that its request has declared, and which segments of a list it needs is known in the store alone. So a driver
 * remembers what the last answers said. If that is out of date, or if it never heard of the workflow, the script writes nothing and says how it is.
 *
 * @module
 */

/** Where the queue of a topic begins and ends, in segments. */
export interface QueueExtent {
  readonly head: number;
  readonly tail: number;
}

/** How far one workflow reaches. */
export interface Extent {
  /** How many complete entries its journal has. */
  entries: number;
  /** One more than its highest position. */
  positions: number;
  /** The tail of each stream. */
  readonly streams: Map<string, number>;
  /** The queues that are not empty. */
  readonly queues: Map<string, QueueExtent>;
  /** The sets of waiters that it is in. */
  waits: readonly string[];
  /** Who has started it. */
  parent?: string | undefined;
}

/** What an answer says of a workflow. What it leaves out it says nothing of; unless it is the `whole`. cjson writes a list that is empty as `{}`. */
export interface ExtentNews {
  readonly id: string;
  readonly entries?: number;
  readonly positions?: number;
  readonly streams?: readonly [key: string, tail: number][] | Record<string, never>;
  /** A tail below 0: the queue is empty. */
  readonly queues?: readonly [topic: string, head: number, tail: number][] | Record<string, never>;
  readonly waits?: readonly string[] | Record<string, never>;
  readonly parent?: string;
  readonly whole?: boolean;
}

/** More would be other isolates' business. */
const MOST_WORKFLOWS = 1_000;

/** What one driver remembers. */
export class Extents {
  /** The last used is the last. */
  readonly #known = new Map<string, Extent>();

  /** A workflow's. What is not known of it is as in one that is new. */
  of(id: string): Extent {
    const known = this.#known.get(id);
    if (known) {
      this.#known.delete(id);
      this.#known.set(id, known);
    }
    return known ?? empty();
  }

  /** Takes note of what answers say. */
  learn(news: readonly ExtentNews[]): void {
    for (const one of news) this.#known.set(one.id, learned(this.of(one.id), one));
    // All of one answer are kept: the call that it is for may need them to go on.
    const most = Math.max(MOST_WORKFLOWS, news.length);
    for (const id of this.#known.keys()) {
      if (this.#known.size <= most) break;
      this.#known.delete(id);
    }
  }

  /** A workflow is new, or is no more. */
  forget(id: string): void {
    this.#known.delete(id);
  }
}

/** The list, also where it is empty. */
export function list<T>(items: readonly T[] | object | undefined): readonly T[] {
  return Array.isArray(items) ? items : [];
}

/** An extent that answers told, put together with what was known. */
export function learned(known: Extent, news: ExtentNews): Extent {
  const extent = news.whole ? empty() : known;
  extent.entries = news.entries ?? extent.entries;
  extent.positions = news.positions ?? extent.positions;
  extent.parent = news.parent ?? extent.parent;
  extent.waits = news.waits === undefined && !("entries" in news) ? extent.waits : list<string>(news.waits);
  for (const [key, tail] of list<[string, number]>(news.streams)) extent.streams.set(key, tail);
  for (const [topic, head, tail] of list<[string, number, number]>(news.queues)) {
    if (tail < 0) extent.queues.delete(topic);
    else extent.queues.set(topic, { head, tail });
  }
  return extent;
}

/**
 * Where a workflow will be that grows while it is asked about. It came from `before` to here in the time that a request takes, so the next one finds it
 * about as much further; twice that is allowed for.
 */
export function ahead(extent: Extent, before: Extent): Extent {
  const further = (to: number, from: number) => to + 2 * Math.max(0, to - from);
  return {
    entries: further(extent.entries, before.entries),
    positions: further(extent.positions, before.positions),
    streams: new Map(Array.from(extent.streams, ([key, tail]) => [key, further(tail, before.streams.get(key) ?? 0)])),
    queues: new Map(
      Array.from(extent.queues, ([topic, { head, tail }]) => [topic, { head, tail: further(tail, before.queues.get(topic)?.tail ?? 0) }]),
    ),
    waits: extent.waits,
    parent: extent.parent,
  };
}

function empty(): Extent {
  return { entries: 0, positions: 0, streams: new Map(), queues: new Map(), waits: [] };
}
