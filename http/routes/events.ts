/**
 * Routes that read events, once or live.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import type { EventEntry } from "../../core/readers.ts";
import { TimeoutError, WorkflowEndedError } from "../../core/errors.ts";
import { isActive } from "../../core/driver/statuses.ts";
import { PARLEY_JSON } from "../protocol.ts";
import { bodyText, negotiate } from "../wire/encoding.ts";
import { type Chunks, liveResponse } from "../live/live.ts";
import { type LinesType, NDJSON_HEARTBEAT, watchLines } from "../live/ndjson.ts";
import { type Route, route, type RouteRequest } from "./route.ts";
import { count, EventValue, WAIT_PARAMETERS, waitOf } from "./schemas.ts";
import { begunAnew, EVENT_STREAM, lastSeen, SSE_HEARTBEAT, watchEvents } from "../live/sse.ts";
import { READ_HEADERS, READ_TYPES, throughFaults } from "./reading.ts";

const EventQuery = v.object({
  after: count(
    0,
    Number.MAX_SAFE_INTEGER,
    "Only a version above this one, which is the last that the caller has seen. Default 0",
  ),
  ...WAIT_PARAMETERS,
});

type EventRequest = RouteRequest<v.InferOutput<typeof EventQuery>, unknown>;

/** The routes. */
export const eventRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/workflows/:id/events/:key",
    action: "event",
    errors: ["timeout", "workflow_not_found", "version_out_of_range"],
    summary: "Read an event: its latest value as JSON, or each value live as Server-Sent Events or lines of JSON",
    query: EventQuery,
    headers: READ_HEADERS,
    responses: {
      200: { description: "The value and its version", schema: EventValue, content: READ_TYPES },
      204: { description: "The caller knows that the workflow has ended, and nothing came since", content: [] },
    },
  }, async (request) => {
    const type = negotiate(request.c, READ_TYPES);
    if (type === "application/json" || type === PARLEY_JSON) return await serveJson(request, type);
    return type === EVENT_STREAM ? await serveEvents(request) : await serveLines(request, type);
  }),
];

async function serveJson(request: EventRequest, type: "application/json" | typeof PARLEY_JSON): Promise<Response> {
  const { c, settings, query } = request;
  const { value, version } = await readEntry(request, query.after ?? 0, waitOf(c, query, settings.maxWaitMs));
  // `null` stands for `undefined`, because JSON would leave the member out.
  const body = bodyText(type, (show) => ({ value: show(value) ?? null, version }));
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "vary": "accept",
    "x-content-type-options": "nosniff",
  };
  return new Response(body, { headers });
}

async function serveEvents(request: EventRequest): Promise<Response> {
  return await throughFaults(request.settings, async () => {
    const seen = lastSeen(request.c);
    const options = { type: EVENT_STREAM, heartbeat: SSE_HEARTBEAT };
    const after = seen?.id ?? request.query.after ?? 0;
    // Versions only rise. So the caller saw another workflow of this ID, or a store that was
    // restored from a copy.
    if (after > 0 && after > await versionOf(request)) {
      return await serveLive(request, 0, (entries) => begunAnew(watchEvents(entries, 0), { after: 0 }), options);
    }
    if (seen?.end && await isOver(request, after)) return new Response(null, { status: 204 });
    return await serveLive(request, after, (entries) => watchEvents(entries, after), options);
  });
}

async function serveLines(request: EventRequest, type: LinesType): Promise<Response> {
  const after = request.query.after ?? 0;
  // A version that is too high gets its own answer, which is possible only before the body begins.
  if (after > 0) await readEntry(request, after).catch(none(undefined));
  return await serveLive(request, after, (entries) => watchLines(entries, type, after), {
    type,
    heartbeat: NDJSON_HEARTBEAT,
  });
}

async function serveLive(
  { c, parley, settings, workflowId, key }: EventRequest,
  after: number,
  frame: (entries: AsyncIterable<EventEntry<unknown>>) => Chunks,
  options: { readonly type: string; readonly heartbeat: string },
): Promise<Response> {
  const stop = new AbortController();
  const entries = parley.watchEvent(workflowId, key, { after, signal: stop.signal }).entries();
  return await liveResponse(c, frame(entries), { ...options, parley, settings, stop });
}

/** The current version of the event; 0 if it has no value. */
async function versionOf(request: EventRequest): Promise<number> {
  return await readEntry(request, 0).then(({ version }) => version, none(0));
}

/** Returns a stand-in for a missing value. */
function none<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof TimeoutError || error instanceof WorkflowEndedError) return instead;
    throw error;
  };
}

/**
 * Whether the workflow has ended, as the client was told, and the client has seen the last value.
 */
async function isOver(request: EventRequest, after: number): Promise<boolean> {
  const { status } = await request.parley.status(request.workflowId);
  if (isActive(status)) return false;
  return await readEntry(request, after).then(() => false, none(true));
}

async function readEntry(
  { c, parley, workflowId, key }: EventRequest,
  after: number,
  wait: { timeout: number; until?: number } = { timeout: 0 },
): Promise<EventEntry<unknown>> {
  return await parley.getEventEntry(workflowId, key, { after, ...wait, ...signalOf(c, wait.timeout) });
}

/** Only a request that waits needs to know when its client goes away. */
function signalOf(c: Context, timeout: number): { signal?: AbortSignal } {
  return timeout > 0 ? { signal: c.req.raw.signal } : {};
}
