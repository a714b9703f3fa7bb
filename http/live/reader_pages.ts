/**
 * Pages of a stream, for a client that reads streams value by value.
 *
 * @module
 */

import { type StreamKey, toChannel } from "../../core/channel.ts";
import type { Client } from "../../core/client.ts";
import { UnsupportedError } from "../../core/errors.ts";
import type { ReadStreamPagesOptions, StreamPage, StreamReader } from "../../core/readers.ts";

/** Reads from an offset on: to the current end, or live. */
type Read<T> = (from: number, wait: boolean) => StreamReader<T>;

/**
 * Reads a stream in pages, as `Parley.readStreamPages` does. The values that are there already come
 * in full pages. After them, each value that comes is a page of its own.
 */
export async function* readerPages<T>(
  client: Pick<Client, "readStream" | "streams">,
  workflowId: string,
  key: StreamKey<T, unknown> | string,
  { from = 0, limit = 1_000, wait = true, signal }: ReadStreamPagesOptions = {},
): AsyncGenerator<StreamPage<T>, void, undefined> {
  const read: Read<T> = (from, wait) => client.readStream(workflowId, key, { from, wait, ...(signal && { signal }) });
  const start = from === "end" ? await startOfLast(client, workflowId, toChannel(key, "stream key").name) : from;
  let page = await nextPage(read, start, limit);
  if (from === "end") {
    while (!page.atEnd) page = await nextPage(read, page.nextOffset, limit);
    page = emptyPage(page.nextOffset, page.closed);
  }
  for (;;) {
    yield page;
    if (page.atEnd) {
      if (page.closed || !wait) return;
      for await (const { offset, value } of read(page.nextOffset, true).entries()) {
        page = { from: offset, values: [value], nextOffset: offset + 1, atEnd: true, closed: false };
        yield page;
        if (!page.atEnd) break;
      }
    }
    // A page that the reader has put back ends before its values.
    page = page.atEnd ? emptyPage(page.nextOffset, true) : await nextPage(read, page.nextOffset, limit);
  }
}

/** The values from an offset on that are there now, up to the first gap between them. */
async function nextPage<T>(read: Read<T>, from: number, limit: number): Promise<StreamPage<T>> {
  const values: T[] = [];
  let nextOffset = from;
  const page = () => ({ from: nextOffset - values.length, values, nextOffset });
  for await (const { offset, value } of read(from, false).entries()) {
    const isBehindGap = values.length > 0 && offset > nextOffset;
    if (!isBehindGap) {
      values.push(value);
      nextOffset = offset + 1;
    }
    if (isBehindGap || values.length === limit) return { ...page(), atEnd: false, closed: false };
  }
  // Only `collect` says whether the stream is closed.
  const rest = await read(nextOffset, false).collect();
  // A gap may lie before the end, too.
  if (values.length + rest.values.length === 0) ({ nextOffset } = rest);
  const atEnd = rest.nextOffset === nextOffset;
  return { ...page(), atEnd, closed: atEnd && rest.closed };
}

/** The end of a stream, or 0 if the client cannot say without reading all of it. */
async function startOfLast(client: Pick<Client, "streams">, workflowId: string, key: string): Promise<number> {
  try {
    return (await client.streams(workflowId)).find((it) => it.key === key)?.length ?? 0;
  } catch (error) {
    if (error instanceof UnsupportedError) return 0;
    throw error;
  }
}

function emptyPage(nextOffset: number, closed: boolean): StreamPage<never> {
  return { from: nextOffset, values: [], nextOffset, atEnd: true, closed };
}
