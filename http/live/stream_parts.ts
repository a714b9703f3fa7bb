/**
 * A stream as the store gives it, for whoever passes it on.
 *
 * @module
 */

import type { Context } from "hono";
import type { ReadStreamPartsOptions, StreamPart } from "../../core/client.ts";
import { delay, systemClock } from "../../core/time/clock.ts";
import { putBack } from "../../core/read/stream.ts";
import type { RouteRequest } from "../routes/route.ts";

/** A request for a stream. */
export type StreamCall = Pick<RouteRequest<unknown, unknown>, "parley" | "workflowId" | "key"> & {
  readonly c: Context;
};

/** From where, and how much. */
export type Place = Required<Pick<ReadStreamPartsOptions, "from">> & Pick<ReadStreamPartsOptions, "limit">;

/**
 * Reads one part.
 *
 * @param waitMs For how long to wait for a value, where there is none and some may come.
 * @throws {WorkflowNotFoundError} If there is no such workflow.
 */
export async function readPart(
  { c, parley, workflowId, key }: StreamCall,
  place: Place,
  waitMs: number,
): Promise<StreamPart<unknown>> {
  const stop = new AbortController();
  const signal = waitMs > 0 ? AbortSignal.any([c.req.raw.signal, stop.signal]) : stop.signal;
  const parts = parley.readStreamParts(workflowId, key, { ...place, wait: waitMs > 0, signal });
  try {
    const part = await nextPart(parts);
    if (part.values.length > 0 || part.closed || waitMs === 0) return part;
    return await Promise.race([
      nextPart(parts),
      delay(systemClock, waitMs, AbortSignal.any([stop.signal, parley.spent])).then(() => part),
    ]);
  } finally {
    stop.abort();
    await parts.return?.();
  }
}

/** A stream that is read for as long as it goes on. */
export interface LiveParts {
  /** The parts. Who reads takes the values off them. */
  readonly parts: AsyncIterable<StreamPart<unknown>>;
  /** Lets go of the values that were not taken yet. They are read again when they are asked for. */
  readonly letGo: () => void;
}

/**
 * Reads a stream for as long as it goes on.
 *
 * @param stop Ends the reading.
 */
export function readParts({ parley, workflowId, key }: StreamCall, place: Place, stop: AbortController): LiveParts {
  const read = parley.readStreamParts(workflowId, key, { ...place, signal: stop.signal });
  let last: StreamPart<unknown> | undefined;
  async function* noted(): AsyncGenerator<StreamPart<unknown>, void, undefined> {
    for await (const part of read) yield last = part;
  }
  return { parts: noted(), letGo: () => last && putBack(last) };
}

/** There always is one: the last says that it is the last. */
async function nextPart<T>(parts: AsyncIterator<T>): Promise<T> {
  const { value } = await parts.next();
  return value;
}
