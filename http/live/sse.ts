/**
 * Streams and events as Server-Sent Events, which `EventSource` resumes by itself.
 *
 * The end of a connection is not the end of a stream, and `EventSource` connects again after either. So the end of the stream is an event, `end`,
 * at which a page closes. Its ID says that the page has seen it: one that does not close gets a 204 when it comes back, and that ends an
 * `EventSource` for good.
 *
 * @module
 */

import type { Context } from "hono";
import type { EventEntry, StreamPage } from "../../core/client.ts";
import { ValidationError } from "../../core/errors.ts";
import { plainText } from "../wire/plain_json.ts";
import type { Chunks } from "./live.ts";
import { entryChunk, framed } from "./pieces.ts";

/** The content type. */
export const EVENT_STREAM = "text/event-stream";

/** A comment: it shows that the connection is alive, and no client sees it. */
export const SSE_HEARTBEAT = ":\n\n";

/** How long `EventSource` waits until it connects again, at least; browsers' own idea of it is up to 5 s. */
const RETRY_MS = 1_000;

/** The time to come back after, another one for each connection: those of a server that dies all end at one moment. */
function retry(): string {
  return `retry: ${RETRY_MS + Math.floor(RETRY_MS * Math.random())}\n\n`;
}

/**
 * The answer for a fault that may pass. `EventSource` gives up for good on any status but 200; after the end of such an answer it comes back.
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
 * Tells a page that is ahead of the stream or event to begin anew, then goes on from the start. It has seen what is not there any more, as after the store
 * was restored from a copy, or the ID of a workflow was used again. Its last ID is forgotten.
 *
 * @param start Where it begins, in the words of the route's parameters.
 */
export async function* begunAnew(events: Chunks, start: { from: number } | { after: number }): Chunks {
  yield [`event: reset\nid\ndata: ${JSON.stringify(start)}\n\n`];
  yield* events;
}

/** What a client has seen, by the ID that it sends when it comes back. */
export interface Seen {
  /** The offset or version of the last value; of the first one that is still to come, where the end was seen. */
  readonly id: number;
  /** Whether it was told of the end. */
  readonly end: boolean;
}

/**
 * Reads the header `Last-Event-ID`.
 *
 * @returns `undefined` where there is none.
 * @throws {ValidationError} If it is none of ours.
 */
export function lastSeen(c: Context): Seen | undefined {
  const header = c.req.header("last-event-id");
  if (!header) return undefined;
  const [, end, id] = /^(end:)?(\d{1,15})$/.exec(header) ?? [];
  if (id === undefined) {
    throw new ValidationError("Reading the header Last-Event-ID: it must be an ID that came with an event of this URL");
  }
  return { id: Number(id), end: end !== undefined };
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
 * Each value of an event as one of the SSE kind, then the end of the workflow.
 *
 * @param after The last version that the client has seen.
 */
export async function* watchEvents(entries: AsyncIterable<EventEntry<unknown>>, after: number): Chunks {
  // At once: there may be no value for long, and a page wants to know that it is connected.
  yield [retry()];
  let seen = after;
  for await (const entry of entries) {
    seen = entry.version;
    yield entryChunk(entry, ({ version, value }) => `id: ${version}\ndata: ${plainText(value)}\n\n`);
  }
  yield [end(seen, { version: seen })];
}

function end(id: number, data: Record<string, number>): string {
  return `event: end\nid: end:${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
