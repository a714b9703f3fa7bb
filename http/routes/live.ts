/**
 * The route that sends several streams and events of one workflow over one connection.
 *
 * A browser has six connections to a server over HTTP/1.1, for all its tabs together. Three tabs
 * with a stream and an event each would use all of them.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import { OffsetOutOfRangeError, VersionOutOfRangeError } from "../../core/errors.ts";
import { checkName } from "../../core/values/checks.ts";
import type { Action, AuthRequest } from "../auth/auth.ts";
import { type Followable, FollowedEvent, FollowedStream } from "../live/followed.ts";
import { type Chunks, liveResponse } from "../live/live.ts";
import { Merged, type MergedFrames } from "../live/merged.ts";
import { mergedLines, NDJSON, NDJSON_HEARTBEAT } from "../live/ndjson.ts";
import { begunAnew, EVENT_STREAM, lastSeenOfAll, mergedEvents, SSE_HEARTBEAT } from "../live/sse.ts";
import { readPage } from "../live/stream_pages.ts";
import { PARLEY_NDJSON } from "../protocol.ts";
import { decoded } from "../wire/request.ts";
import { negotiate } from "../wire/encoding.ts";
import { READ_HEADERS, throughFaults } from "./reading.ts";
import { type Route, route, type RouteRequest } from "./route.ts";
import { Name } from "./schemas.ts";

/** The most streams and events of one connection. */
export const MAX_FOLLOWED = 20;

const TYPES = [EVENT_STREAM, NDJSON, "application/ndjson", PARLEY_NDJSON] as const;

const keys = (description: string) =>
  v.optional(v.pipe(
    v.array(Name),
    v.check((them) => new Set(them).size === them.length, "It must name each key once"),
    v.description(description),
  ));

const LiveQuery = v.pipe(
  v.object({
    stream: keys("The key of a stream; once for each stream"),
    event: keys("The key of an event; once for each event"),
    after: v.optional(v.pipe(
      v.string(),
      v.description(
        "The ID of the last Server-Sent Event that arrived; the answer continues after it. It is the next offset of " +
          "each stream, then the last version of each event, with a dot in between",
      ),
    )),
  }),
  v.check(({ stream = [], event = [] }) => {
    const count = stream.length + event.length;
    return 1 <= count && count <= MAX_FOLLOWED;
  }, `There must be 1 to ${MAX_FOLLOWED} parameters stream and event`),
);

type LiveRequest = RouteRequest<v.InferOutput<typeof LiveQuery>, unknown>;

/** What the connection carries, in the order of its positions. */
interface Key {
  readonly action: Extract<Action, "stream" | "event">;
  readonly key: string;
}

/** The routes. */
export const liveRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/workflows/:id/live",
    action: "stream",
    errors: ["workflow_not_found", "offset_out_of_range", "version_out_of_range"],
    summary: "Read several streams and events live over one connection, as Server-Sent Events or lines of JSON",
    query: LiveQuery,
    lists: ["stream", "event"],
    headers: { "accept": READ_HEADERS.accept, "last-event-id": READ_HEADERS["last-event-id"] },
    concerns: ({ c, workflowId }) => concerns(c, workflowId),
    responses: {
      200: { description: "Values as they come", schema: v.string(), content: TYPES },
      204: { description: "The caller knows that all have ended, and nothing came since", content: [] },
    },
  }, async (request) => {
    const type = negotiate(request.c, TYPES);
    const keys = keysOf(request.query);
    for (const { action, key } of keys) checkName(key, `${action} key`);
    if (type === EVENT_STREAM) return await serveEvents(request, keys);
    const { positions } = seenOf(request, keys) ?? { positions: keys.map(() => 0) };
    return await serveLive(request, keys, positions, {
      type,
      heartbeat: NDJSON_HEARTBEAT,
      frames: mergedLines(type),
    });
  }),
];

/** One concern for each stream and event. A request that is refused later still needs permission. */
function concerns(c: Context, workflowId: string | undefined): (Omit<AuthRequest, "action"> & { action?: Action })[] {
  const named = decoded(() => ({ stream: c.req.queries("stream") ?? [], event: c.req.queries("event") ?? [] }));
  const workflow = workflowId === undefined ? {} : { workflowId };
  const keys = keysOf(named);
  if (keys.length === 0) return [workflow];
  return keys.slice(0, MAX_FOLLOWED).map((it) => ({ ...workflow, ...it }));
}

function keysOf({ stream = [], event = [] }: Pick<v.InferOutput<typeof LiveQuery>, "stream" | "event">): Key[] {
  return [
    ...stream.map((key) => ({ action: "stream", key }) as const),
    ...event.map((key) => ({ action: "event", key }) as const),
  ];
}

async function serveEvents(request: LiveRequest, keys: readonly Key[]): Promise<Response> {
  const options = { type: EVENT_STREAM, heartbeat: SSE_HEARTBEAT, frames: mergedEvents() };
  return await throughFaults(request.settings, async () => {
    const start = keys.map(() => 0);
    const seen = seenOf(request, keys);
    try {
      if (seen?.end && await isOver(request, keys, seen.positions)) return new Response(null, { status: 204 });
      return await serveLive(request, keys, seen?.positions ?? start, options);
    } catch (error) {
      if (!(error instanceof OffsetOutOfRangeError || error instanceof VersionOutOfRangeError)) throw error;
      // What the page has seen of the others comes from another store or another workflow, too.
      return await serveLive(request, keys, start, {
        ...options,
        wrap: (chunks) => begunAnew(chunks, { after: start.join(".") }),
      });
    }
  });
}

interface ServeOptions {
  readonly type: string;
  readonly heartbeat: string;
  readonly frames: MergedFrames;
  readonly wrap?: (chunks: Chunks) => Chunks;
}

async function serveLive(
  { c, parley, settings, workflowId }: LiveRequest,
  keys: readonly Key[],
  positions: readonly number[],
  { type, heartbeat, frames, wrap = (chunks) => chunks }: ServeOptions,
): Promise<Response> {
  const stop = new AbortController();
  const followed = keys.map(({ action, key }, index) => {
    const request: Followable = { parley, workflowId, key, position: positions[index]!, stop };
    return action === "stream" ? new FollowedStream(request) : new FollowedEvent(request);
  });
  const merged = new Merged(followed, frames);
  // A stream's first look finds out by itself whether there is such a workflow.
  const isKnown = keys.some(({ action }) => action === "stream");
  const begin = async () => void (isKnown || await parley.status(workflowId));
  return await liveResponse(c, wrap(merged.chunks(begin)), {
    type,
    heartbeat,
    letGo: () => merged.letGo(),
    parley,
    settings,
    stop,
  });
}

/** Whether all have ended, as the client was told. If the workflow was resumed, it may have continued. */
async function isOver(
  { c, parley, workflowId }: LiveRequest,
  keys: readonly Key[],
  positions: readonly number[],
): Promise<boolean> {
  const over = await Promise.all(keys.map(async ({ action, key }, index) => {
    const request: Followable = { parley, workflowId, key, position: positions[index]!, stop: new AbortController() };
    if (action === "event") return await new FollowedEvent(request).hasEnded();
    const { closed, values } = await readPage({ c, ...request }, { from: request.position }, 0);
    return closed && values.length === 0;
  }));
  return !over.includes(false);
}

function seenOf({ c, query: { after } }: LiveRequest, keys: readonly Key[]) {
  return lastSeenOfAll(c, after, keys.length);
}
