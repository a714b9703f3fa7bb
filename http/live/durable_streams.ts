/**
 * The reading side of the Durable Streams protocol (durable-streams/durable-streams, PROTOCOL.md
 * 1.0), in its JSON mode.
 *
 * An offset of the protocol is that of the next value. It has 16 digits, so that texts sort as
 * numbers do.
 *
 * @module
 */

import type { Context } from "hono";
import type { StreamPage } from "../../core/readers.ts";
import { systemClock } from "../../core/time/clock.ts";
import { ValidationError } from "../../core/errors.ts";
import { hexDigest } from "../../core/values/hex_digest.ts";
import { plainText } from "../wire/plain_json.ts";
import { type Chunks, liveResponse } from "./live.ts";
import type { Settings } from "../options.ts";
import { type Chunk, Gathered } from "./pieces.ts";
import { EVENT_STREAM, SSE_HEARTBEAT } from "./sse.ts";
import { readPage, readPages, type StreamPlace, type StreamRequest } from "./stream_pages.ts";

/** The protocol's own parameters. A request that has `offset` or `live` speaks the protocol. */
export interface DurableQuery {
  readonly offset?: string | undefined;
  readonly live?: string | undefined;
  readonly cursor?: string | undefined;
}

/** A request that speaks the protocol. */
export interface DurableRequest extends StreamRequest {
  readonly settings: Settings;
  readonly query: DurableQuery;
}

const OFFSET_DIGITS = 16;

/**
 * The protocol ends connections after about a minute, so that readers who come later can share one
 * at an edge.
 */
const MAX_SSE_MS = 60_000;
/** The longest long poll. Many proxies give up on an answer after 60 s. */
const MAX_POLL_MS = 30_000;

/** Cursors number the intervals since this instant, 2024-10-09T00:00:00Z. */
const CURSOR_EPOCH_MS = 1_728_432_000_000;
const CURSOR_INTERVAL_MS = 20_000;
/** How far a cursor may be ahead of the time: 3,600 s of intervals. */
const CURSOR_JITTER = 180;

/** Whether a request speaks the protocol. */
export function speaksDurableStreams({ offset, live }: DurableQuery): boolean {
  return offset !== undefined || live !== undefined;
}

/** Answers a `GET`: with the current values, a long poll, or Server-Sent Events. */
export async function readDurableStream(request: DurableRequest): Promise<Response> {
  const place = { from: toPlace(request) };
  const { c, settings, query: { live } } = request;
  if (live === "sse") return await serveEvents(request, place);
  if (live === "long-poll") {
    return respond(request, await readPage(request, place, Math.min(settings.maxWaitMs, MAX_POLL_MS)));
  }
  const page = await readPage(request, place, 0);
  if (place.from === "end") return jsonResponse(page, { "cache-control": "no-store" });
  const body = jsonText(page);
  const etag = await toEtag(page, body);
  // Values before the end never change. At the end, values or the end of the stream may follow.
  const caching = {
    etag,
    "cache-control": page.atEnd ? "private, no-cache" : "private, max-age=60, stale-while-revalidate=300",
  };
  if (matches(c, etag)) return new Response(null, { status: 304, headers: { ...headersOf(page), ...caching } });
  return jsonResponse(page, caching);
}

/** Answers a `HEAD`: where the end is, and whether the stream is closed. */
export async function describeStream(request: StreamRequest): Promise<Response> {
  const page = await readPage(request, { from: "end" }, 0);
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(null, { headers: { ...headersOf(page), ...headers } });
}

/** The headers that say where a page ends. */
export function headersOf({ nextOffset, atEnd, closed }: StreamPage<unknown>): Record<string, string> {
  return {
    "stream-next-offset": toOffset(nextOffset),
    ...(atEnd && { "stream-up-to-date": "true" }),
    ...(closed && { "stream-closed": "true" }),
    "vary": "accept, authorization",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
  };
}

/** Answers a long poll: 204 if nothing came. If nothing more will come, it answers at once. */
function respond(request: DurableRequest, page: StreamPage<unknown>): Response {
  const headers = {
    "cache-control": "no-store",
    ...(!page.closed && { "stream-cursor": nextCursor(request.query.cursor) }),
  };
  if (page.values.length > 0) return jsonResponse(page, headers);
  return new Response(null, { status: 204, headers: { ...headersOf(page), ...headers } });
}

async function serveEvents(request: DurableRequest, place: StreamPlace): Promise<Response> {
  const stop = new AbortController();
  const { pages, letGo } = readPages(request, place, stop);
  return await liveResponse(request.c, controlledEvents(pages, request.query.cursor), {
    letGo,
    parley: request.parley,
    settings: request.settings,
    type: EVENT_STREAM,
    heartbeat: SSE_HEARTBEAT,
    maxMs: MAX_SSE_MS,
    stop,
    headers: {
      "cross-origin-resource-policy": "same-origin",
      // Some proxies compress or keep an answer unless it says all three.
      "cache-control": "no-cache, no-store, no-transform",
    },
  });
}

/** A `data` event with values, if there are any. A `control` event after it says where it ends. */
async function* controlledEvents(pages: AsyncIterable<StreamPage<unknown>>, cursor: string | undefined): Chunks {
  for await (const page of pages) {
    do yield controlledEvent(page, cursor); while (page.values.length > 0);
  }
}

/**
 * Frames some values of a page, and removes them from the page. If the reader has stopped, only the
 * rest and the current text stay in memory.
 */
function controlledEvent(page: StreamPage<unknown>, cursor: string | undefined): Chunk {
  const gathered = new Gathered();
  gathered.fill(page, (_, value) => `${gathered.isEmpty ? "event: data\ndata:[" : ","}${plainText(value)}`);
  if (!gathered.isEmpty) gathered.add("]\n\n");
  const isLast = page.values.length === 0;
  const closed = isLast && page.closed;
  const control = {
    streamNextOffset: toOffset(page.nextOffset - page.values.length),
    ...(!closed && { streamCursor: nextCursor(cursor) }),
    ...(isLast && page.atEnd && { upToDate: true }),
    ...(closed && { streamClosed: true }),
  };
  gathered.add(`event: control\ndata:${JSON.stringify(control)}\n\n`);
  return gathered.take();
}

function jsonResponse(page: StreamPage<unknown>, headers: Record<string, string>): Response {
  return new Response(jsonText(page), {
    headers: { "content-type": "application/json", ...headersOf(page), ...headers },
  });
}

function jsonText({ values }: StreamPage<unknown>): string {
  return plainText(values);
}

function toOffset(offset: number): string {
  return String(offset).padStart(OFFSET_DIGITS, "0");
}

/** The offset from which a request reads. */
function toPlace({ c, query: { offset, live } }: DurableRequest): StreamPlace["from"] {
  if (live !== undefined && live !== "long-poll" && live !== "sse") {
    throw new ValidationError("Reading the parameter live: it must be long-poll or sse");
  }
  if (offset === undefined) {
    throw new ValidationError("Reading a stream live: the request must have the parameter offset");
  }
  if ((c.req.queries("offset") ?? []).length > 1) {
    throw new ValidationError("Reading the parameter offset: it must occur once");
  }
  if (offset === "-1") return 0;
  if (offset === "now") return "end";
  const from = /^\d{1,16}$/.test(offset) ? Number(offset) : NaN;
  if (Number.isSafeInteger(from)) return from;
  throw new ValidationError("Reading the parameter offset: it must be -1, now, or an offset from an answer");
}

/**
 * The tag of an answer. It contains a hash of the content, because a purged workflow may have been
 * started again. It also contains what the headers say about the end.
 */
async function toEtag({ from, nextOffset, atEnd, closed }: StreamPage<unknown>, body: string): Promise<string> {
  const hash = (await hexDigest(body)).slice(0, 16);
  return `"${from}:${nextOffset}:${hash}${atEnd ? ":u" : ""}${closed ? ":c" : ""}"`;
}

/**
 * Whether the caller has the answer already. The comparison is weak (RFC 9110), because proxies
 * that compress mark tags as weak.
 */
function matches(c: Context, etag: string): boolean {
  const given = c.req.header("if-none-match")?.split(",").map((it) => it.trim().replace(/^W\//, "")) ?? [];
  return given.includes(etag) || given.includes("*");
}

/**
 * The next cursor. It is always later than the client's cursor. Otherwise a cached answer would
 * send the client in a circle.
 */
function nextCursor(cursor: string | undefined): string {
  const now = Math.floor((systemClock.now() - CURSOR_EPOCH_MS) / CURSOR_INTERVAL_MS);
  const given = /^\d{1,15}$/.test(cursor ?? "") ? Number(cursor) : -1;
  return String(given < now ? now : given + 1 + Math.floor(Math.random() * CURSOR_JITTER));
}
