/**
 * Streams and events as lines of JSON. A blank line is a heartbeat. The last line says that nothing
 * more will come, so a body without that line was cut.
 *
 * @module
 */

import type { EventEntry, StreamPage } from "../../core/readers.ts";
import type { PARLEY_NDJSON } from "../protocol.ts";
import { bodyText } from "../wire/encoding.ts";
import type { Chunks } from "./live.ts";
import type { MergedFrames } from "./merged.ts";
import { entryChunk, framed } from "./pieces.ts";

/** The content type of plain lines. */
export const NDJSON = "application/x-ndjson";

/** A blank line, which shows that the connection is alive. */
export const NDJSON_HEARTBEAT = "\n";

/** Content types of lines: plain JSON under both its names, and the library's own. */
export type LinesType = typeof NDJSON | "application/ndjson" | typeof PARLEY_NDJSON;

/** A line for each value, `{ offset, value }`, then `{ end: true, nextOffset }`. */
export function streamLines(pages: AsyncIterable<StreamPage<unknown>>, type: LinesType): Chunks {
  return framed(pages, {
    // The line shows a reader that it is connected, even if there is no value yet.
    nothing: NDJSON_HEARTBEAT,
    value: (offset, value) => valueLine({ offset }, value, type),
    end: (nextOffset) => line({ end: true, nextOffset }),
  });
}

/** A line for each value, `{ version, value }`, then `{ end: true, version }`. */
export async function* watchLines(
  entries: AsyncIterable<EventEntry<unknown>>,
  type: LinesType,
  after: number,
): Chunks {
  yield [NDJSON_HEARTBEAT];
  let seen = after;
  for await (const entry of entries) {
    seen = entry.version;
    yield entryChunk(entry, ({ version, value }) => valueLine({ version }, value, type));
  }
  yield [line({ end: true, version: seen })];
}

/**
 * Several streams and events: a line for each value, `{ stream, offset, value }` or
 * `{ event, version, value }`. Then `{ stream, closed: true, nextOffset }` for the end of a stream,
 * and `{ end: true }` for the end of all.
 */
export function mergedLines(type: LinesType): MergedFrames {
  return {
    // The line shows a reader that it is connected, even if there is no value yet.
    opening: NDJSON_HEARTBEAT,
    streamValue: ({ value, ...place }) => valueLine(place, value, type),
    streamEnd: ({ stream, nextOffset }) => line({ stream, closed: true, nextOffset }),
    eventValue: ({ value, ...place }) => valueLine(place, value, type),
    end: () => line({ end: true }),
  };
}

/** `null` stands for `undefined`, because JSON would leave the member out. */
function valueLine(place: Record<string, number | string>, value: unknown, type: LinesType): string {
  return `${bodyText(type, (show) => ({ ...place, value: show(value) ?? null }))}\n`;
}

function line(fields: Record<string, unknown>): string {
  return `${JSON.stringify(fields)}\n`;
}
