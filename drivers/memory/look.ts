/**
 * Reads that show what one workflow has: its journal with times, messages, events and streams. Each
 * answer is a copy.
 *
 * @module
 */

import type {
  EventRecord,
  HistoryRecord,
  MessageQuery,
  MessageRecord,
  PartPage,
  PartQuery,
  StreamRecord,
} from "../../core/driver/driver.ts";
import { PAGE_LENGTH, pageSize } from "../page_size.ts";
import type { WorkflowRow } from "./rows.ts";
import type { MemoryStore } from "./store.ts";

/** `Driver.readHistory`. */
export function readHistory(store: MemoryStore, query: PartQuery<number>): PartPage<HistoryRecord> {
  return page(store, query, {
    itemsOf: ({ entries }) =>
      [...entries.values()].map(({ position, label, outcome, startedAt, endedAt, attempts, deadline }) => ({
        position,
        label,
        outcome: outcome && { ...outcome },
        startedAt,
        endedAt,
        attempts,
        deadline: outcome === null || outcome.tag === "timeout" ? deadline : null,
      })),
    placeOf: ({ position }) => position,
    lengthOf: ({ outcome }) => outcome?.value?.length ?? 0,
  });
}

/** `Driver.listMessages`. */
export function listMessages(store: MemoryStore, query: MessageQuery): PartPage<MessageRecord> {
  const { state, topic } = query;
  return page(store, query, {
    itemsOf: ({ inbox }) =>
      inbox.messages
        .filter((message) => topic === null || message.topic === topic)
        .filter((message) => state === "all" || (message.received === null) === (state === "unread"))
        .map((message) => ({ ...message, received: message.received && { ...message.received } })),
    placeOf: ({ number }) => number,
    lengthOf: ({ value }) => value.length,
  });
}

/** `Driver.listEvents`. */
export function listEvents(store: MemoryStore, query: PartQuery<string>): PartPage<EventRecord> {
  return page(store, query, {
    itemsOf: ({ events }) =>
      [...events].map(([key, { version, value, updatedAt }]) => ({ key, version, value, updatedAt })),
    placeOf: ({ key }) => key,
    lengthOf: ({ value }) => value.length,
  });
}

/** `Driver.listStreams`. */
export function listStreams(store: MemoryStore, query: PartQuery<string>): PartPage<StreamRecord> {
  return page(store, query, {
    itemsOf: ({ streams }) =>
      [...streams].map(([key, { values, closed, updatedAt }]) => ({ key, length: values.length, closed, updatedAt })),
    placeOf: ({ key }) => key,
    lengthOf: () => 0,
  });
}

/** What a page consists of. */
interface Part<Item, Place> {
  itemsOf(row: WorkflowRow): Item[];
  placeOf(item: Item): Place;
  lengthOf(item: Item): number;
}

function page<Item, Place extends number | string>(
  store: MemoryStore,
  { workflowId, after, limit }: PartQuery<Place>,
  { itemsOf, placeOf, lengthOf }: Part<Item, Place>,
): PartPage<Item> {
  const row = store.rows.get(workflowId);
  if (!row) return { status: null, items: [], more: false };
  const left = itemsOf(row)
    .filter((item) => after === null || compare(placeOf(item), after) > 0)
    .sort((a, b) => compare(placeOf(a), placeOf(b)));
  const size = { available: left.length, limit, length: PAGE_LENGTH };
  const count = pageSize(size, (index) => lengthOf(left[index]!));
  return { status: row.status, items: left.slice(0, count), more: left.length > count };
}

/** Compares places. Texts are compared as their UTF-8 bytes are, which is by code point. */
function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" || typeof b === "number") return Number(a) - Number(b);
  const left = [...a];
  const right = [...b];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = left[index]!.codePointAt(0)! - right[index]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
