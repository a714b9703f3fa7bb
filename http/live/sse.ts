/**
 * Streams and events as Server-Sent Events, which `EventSource` resumes by itself.
 *
 * The end of a connection is not the end of a stream, and `EventSource` reconnects after both. So
 * the end of the stream is an event, `end`, at which a page closes its `EventSource`. The ID of
 * that event says that the page has seen it. A page that does not close gets a 204 when it
 * reconnects, and that stops an `EventSource` for good.
 *
 * @module
 */

import type { Context } from "hono";
import type { EventEntry, StreamPage } from "../../core/readers.ts";
import { ValidationError } from "../../core/errors.ts";
import { bodyText } from "../wire/encoding.ts";
import { plainText } from "../wire/plain_json.ts";
import type { Chunks } from "./live.ts";
import type { MergedFrames } from "./merged.ts";
import { entryChunk, framed } from "./pieces.ts";

/** The content type. */
export const EVENT_STREAM = "text/event-stream";

/** A comment. It shows that the connection is alive, and clients ignore it. */
export const SSE_HEARTBEAT = ":\n\n";

/**
 * How long `EventSource` waits at least before it reconnects. The default of browsers is up to 5 s.
 */
const RETRY_MS = 1_000;

/** The beginning of an ID that says that the client has seen the end. */
const END = "end:";

/**
 * The pause before a reconnection. It differs for each connection, because all connections of a
 * server that dies end at one moment.
 */
function retry(): string {
  return `retry: ${RETRY_MS + Math.floor(RETRY_MS * Math.random())}\n\n`;
}

/**
 * The answer for a temporary fault. `EventSource` gives up for good on any status but 200, and
 * reconnects after the end of this answer.
 */
export function comeBack(): Response {
  const headers = {
    "content-type": EVENT_STREAM,
    "cache-control": "no-store, no-transform",
    "x-content-type-options": "nosniff",
  };
  return new Response(retry(), { headers });
}

/**
 * Tells a page that is ahead of the stream or event to start again, then sends everything from the
 * start. The page has seen values that no longer exist, because the store was restored from a copy
 * or the ID was used again. The page's last ID is cleared.
 *
 * @param start Where it starts, as parameters of the route.
 */
export async function* begunAnew(events: Chunks, start: { from: number } | { after: number | string }): Chunks {
  yield [`event: reset\nid\ndata: ${JSON.stringify(start)}\n\n`];
  yield* events;
}

/** What a client has seen, according to the ID that it sends when it reconnects. */
export interface Seen {
  /**
   * The offset or version of the last value. If the client has seen the end, the offset of the
   * first value that may still come.
   */
  readonly id: number;
  /** Whether the client has seen the end. */
  readonly end: boolean;
}

/**
 * Reads the header `Last-Event-ID`.
 *
 * @returns `undefined` if there is none.
 * @throws {ValidationError} If it is not an ID of these events.
 */
export function lastSeen(c: Context): Seen | undefined {
  const header = c.req.header("last-event-id");
  if (!header) return undefined;
  const [, end, id] = /^(end:)?(\d{1,15})$/.exec(header) ?? [];
  if (id === undefined) throw foreignId("header Last-Event-ID");
  return { id: Number(id), end: end !== undefined };
}

/** What a client has seen of several streams and events. */
export interface SeenOfAll {
  /** The next offset of each stream, then the last version of each event. */
  readonly positions: readonly number[];
  /** Whether the client has seen the end of all. */
  readonly end: boolean;
}

/**
 * Reads the ID of several streams and events, from the header `Last-Event-ID` or else from the
 * parameter `after`.
 *
 * @param count The number of positions that the ID must have.
 * @returns `undefined` if there is no ID.
 * @throws {ValidationError} If it is not an ID of this URL.
 */
export function lastSeenOfAll(c: Context, after: string | undefined, count: number): SeenOfAll | undefined {
  const header = c.req.header("last-event-id");
  const [id, place] = header ? [header, "header Last-Event-ID"] : [after, "parameter after"];
  if (!id) return undefined;
  const [, end, all = ""] = /^(end:)?(\d{1,15}(?:\.\d{1,15}){0,99})$/.exec(id) ?? [];
  const positions = all.split(".").map(Number);
  if (all === "" || positions.length !== count) throw foreignId(place);
  return { positions, end: end !== undefined };
}

function foreignId(place: string): ValidationError {
  return new ValidationError(`Reading the ${place}: it must be the ID of an event from this URL`);
}

/** Each value as an event, then the end. */
export function streamEvents(pages: AsyncIterable<StreamPage<unknown>>): Chunks {
  return framed(pages, {
    opening: retry(),
    value: (offset, value) => `id: ${offset}\ndata: ${plainText(value)}\n\n`,
    end: (nextOffset) => end(nextOffset, { nextOffset }),
  });
}

/**
 * Each value of an event as a Server-Sent Event, then the end of the workflow.
 *
 * @param after The last version that the client has seen.
 */
export async function* watchEvents(entries: AsyncIterable<EventEntry<unknown>>, after: number): Chunks {
  // The first value may come late, and this shows a page at once that it is connected.
  yield [retry()];
  let seen = after;
  for await (const entry of entries) {
    seen = entry.version;
    yield entryChunk(entry, ({ version, value }) => `id: ${version}\ndata: ${plainText(value)}\n\n`);
  }
  yield [end(seen, { version: seen })];
}

/** Several streams and events: each value, each end of a stream, and the end of all. */
export function mergedEvents(): MergedFrames {
  const value = (fields: { value: unknown }, id: string) =>
    `id: ${id}\ndata: ${bodyText(EVENT_STREAM, () => ({ ...fields, value: fields.value ?? null }))}\n\n`;
  return {
    opening: retry(),
    streamValue: value,
    streamEnd: (closed, id) => `event: closed\nid: ${id}\ndata: ${JSON.stringify(closed)}\n\n`,
    eventValue: value,
    end: (id) => `event: end\nid: ${END}${id}\ndata: {}\n\n`,
  };
}

function end(id: number, data: Record<string, number>): string {
  return `event: end\nid: ${END}${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
