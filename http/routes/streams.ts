/**
 * The route that reads a stream, in the form that the caller accepts.
 *
 * @module
 */

import * as v from "valibot";
import type { StreamPage } from "../../core/readers.ts";
import { OffsetOutOfRangeError } from "../../core/errors.ts";
import {
  describeStream,
  type DurableRequest,
  headersOf,
  readDurableStream,
  speaksDurableStreams,
} from "../live/durable_streams.ts";
import { PARLEY_JSON } from "../protocol.ts";
import { bodyText, negotiate } from "../wire/encoding.ts";
import { type Chunks, liveResponse } from "../live/live.ts";
import { type LinesType, NDJSON_HEARTBEAT, streamLines } from "../live/ndjson.ts";
import { given, type Route, route, type RouteRequest } from "./route.ts";
import { count, StreamPageBody, waitMs, WaitParameter } from "./schemas.ts";
import { begunAnew, EVENT_STREAM, lastSeen, SSE_HEARTBEAT, streamEvents } from "../live/sse.ts";
import { readPage, readPages, type StreamPlace } from "../live/stream_pages.ts";
import { READ_HEADERS, READ_TYPES, throughFaults } from "./reading.ts";

const text = (description: string) => v.optional(v.pipe(v.string(), v.description(description)));

const StreamQuery = v.object({
  from: count(0, Number.MAX_SAFE_INTEGER, "The first offset to read. Default 0"),
  limit: count(1, 1_000, "How many values of JSON at most. Default 1,000"),
  wait: WaitParameter,
  offset: text("Durable Streams: -1, now, or an offset of that protocol"),
  live: text("Durable Streams: long-poll or sse"),
  cursor: text("Durable Streams: the cursor of the previous answer"),
});

/** The Durable Streams protocol returns the list alone. */
const StreamAnswer = v.union([
  StreamPageBody,
  v.pipe(
    v.array(v.unknown()),
    v.description("Durable Streams: only the values; the header Stream-Next-Offset says where to continue"),
  ),
]);

const PLACE = {
  "stream-next-offset": "Durable Streams: the offset at which to continue",
  "stream-up-to-date": "Durable Streams: true if there was no more at that moment",
  "stream-closed": "Durable Streams: true if nothing more will come",
};

type StreamQuery = v.InferOutput<typeof StreamQuery>;

/** The routes. */
export const streamRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/workflows/:id/streams/:key",
    action: "stream",
    errors: ["workflow_not_found", "offset_out_of_range"],
    summary: "Read a stream: a page of it as JSON, or live as Server-Sent Events or lines of JSON; or by the " +
      "Durable Streams protocol",
    query: StreamQuery,
    headers: READ_HEADERS,
    responses: {
      200: { description: "Values in order", schema: StreamAnswer, content: READ_TYPES, headers: PLACE },
      204: { description: "Nothing came, or nothing will come", content: [], headers: PLACE },
      304: { description: "Durable Streams: the caller has it already", content: [] },
    },
  }, async (request) => {
    if (request.c.req.method === "HEAD") return await describeStream(request);
    if (speaksDurableStreams(request.query)) return await readDurableStream(request as DurableRequest);
    const type = negotiate(request.c, READ_TYPES);
    if (type === "application/json" || type === PARLEY_JSON) return await serveJson(request, type);
    return type === EVENT_STREAM ? await serveEvents(request) : await serveLines(request, type);
  }),
];

type StreamRequest = RouteRequest<StreamQuery, unknown>;

async function serveJson(request: StreamRequest, type: "application/json" | typeof PARLEY_JSON): Promise<Response> {
  const { c, settings, query: { limit, wait } } = request;
  const page = await readPage(
    request,
    { ...placeOf(request), ...given({ limit }) },
    waitMs(c, wait, settings.maxWaitMs),
  );
  const { values, nextOffset, closed } = page;
  const body = bodyText(type, (show) => ({ values: values.map(show), nextOffset, closed }));
  return new Response(body, {
    headers: { ...headersOf(page), "content-type": type, "cache-control": "no-store" },
  });
}

async function serveEvents(request: StreamRequest): Promise<Response> {
  const options = { type: EVENT_STREAM, heartbeat: SSE_HEARTBEAT };
  return await throughFaults(request.settings, async () => {
    const seen = lastSeen(request.c);
    const place = seen ? { from: seen.end ? seen.id : seen.id + 1 } : placeOf(request);
    try {
      if (seen?.end && await isOver(request, place)) return new Response(null, { status: 204 });
      return await serveLive(request, place, streamEvents, options);
    } catch (error) {
      if (!(error instanceof OffsetOutOfRangeError)) throw error;
      return await serveLive(request, { from: 0 }, (pages) => begunAnew(streamEvents(pages), { from: 0 }), options);
    }
  });
}

async function serveLines(request: StreamRequest, type: LinesType): Promise<Response> {
  return await serveLive(request, placeOf(request), (pages) => streamLines(pages, type), {
    type,
    heartbeat: NDJSON_HEARTBEAT,
  });
}

async function serveLive(
  request: StreamRequest,
  place: StreamPlace,
  frame: (pages: AsyncIterable<StreamPage<unknown>>) => Chunks,
  options: { readonly type: string; readonly heartbeat: string },
): Promise<Response> {
  const stop = new AbortController();
  const { pages, letGo } = readPages(request, place, stop);
  return await liveResponse(request.c, frame(pages), {
    ...options,
    letGo,
    parley: request.parley,
    settings: request.settings,
    stop,
  });
}

/**
 * Whether the stream has ended, as the client was told. If its workflow was resumed, it may have
 * continued.
 */
async function isOver(request: StreamRequest, place: StreamPlace): Promise<boolean> {
  const { values, closed } = await readPage(request, place, 0);
  return closed && values.length === 0;
}

function placeOf({ query: { from = 0 } }: StreamRequest): StreamPlace {
  return { from };
}
