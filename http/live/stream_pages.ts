/**
 * Pages of a stream, for answers.
 *
 * @module
 */

import type { Context } from "hono";
import type { ReadStreamPagesOptions, StreamPage } from "../../core/readers.ts";
import { delay, systemClock } from "../../core/time/clock.ts";
import { putBack } from "../../core/read/stream.ts";
import type { RouteRequest } from "../routes/route.ts";

/** A request for a stream. */
export type StreamRequest = Pick<RouteRequest<unknown, unknown>, "parley" | "workflowId" | "key"> & {
  readonly c: Context;
};

/** From where to read, and how much. */
export type StreamPlace = Required<Pick<ReadStreamPagesOptions, "from">> & Pick<ReadStreamPagesOptions, "limit">;

/**
 * Reads one page.
 *
 * @param waitMs How long to wait for a value if there is none and some may come, in milliseconds.
 * @throws {WorkflowNotFoundError} If there is no such workflow.
 */
export async function readPage(
  { c, parley, workflowId, key }: StreamRequest,
  place: StreamPlace,
  waitMs: number,
): Promise<StreamPage<unknown>> {
  const stop = new AbortController();
  const signal = waitMs > 0 ? AbortSignal.any([c.req.raw.signal, stop.signal]) : stop.signal;
  const pages = parley.readStreamPages(workflowId, key, { ...place, wait: waitMs > 0, signal });
  try {
    const page = await nextPage(pages);
    if (page.values.length > 0 || page.closed || waitMs === 0) return page;
    return await Promise.race([
      nextPage(pages),
      delay(systemClock, waitMs, AbortSignal.any([stop.signal, parley.spent])).then(() => page),
    ]);
  } finally {
    stop.abort();
    await pages.return?.();
  }
}

/** A stream that is read as long as it continues. */
export interface LivePages {
  /** The pages. The reader removes values from them as it takes them. */
  readonly pages: AsyncIterable<StreamPage<unknown>>;
  /**
   * Drops the values that the reader has not taken yet. They are read again when the reader asks
   * for them.
   */
  readonly letGo: () => void;
}

/**
 * Reads a stream as long as it continues.
 *
 * @param stop Ends the reading.
 */
export function readPages(
  { parley, workflowId, key }: Omit<StreamRequest, "c">,
  place: StreamPlace,
  stop: AbortController,
): LivePages {
  const read = parley.readStreamPages(workflowId, key, { ...place, signal: stop.signal });
  let last: StreamPage<unknown> | undefined;
  async function* noted(): AsyncGenerator<StreamPage<unknown>, void, undefined> {
    for await (const page of read) yield last = page;
  }
  return { pages: noted(), letGo: () => last && putBack(last) };
}

/** The next page. There always is one, because the last page says that it is the last. */
async function nextPage<T>(pages: AsyncIterator<T>): Promise<T> {
  const { value } = await pages.next();
  return value;
}
