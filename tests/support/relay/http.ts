/**
 * Finds where the messages of HTTP/1.1 begin and end.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Side } from "./socket.ts";

/** Takes bytes as they arrive. */
export type Sink = (bytes: Uint8Array) => Promise<void> | void;

/** The first line and the headers of a message. */
export interface Head {
  readonly firstLine: string;
  readonly headers: ReadonlyMap<string, string>;
}

const BLANK_LINE = new TextEncoder().encode("\r\n\r\n");
const LINE_END = BLANK_LINE.subarray(0, 2);
const decoder = new TextDecoder("latin1");

/** Reads up to the end of a head and passes it on. `undefined` if the connection ends before. */
export async function readHead(from: Side, sink: Sink): Promise<Head | undefined> {
  const bytes = await readUntil(from, BLANK_LINE);
  if (!bytes) return undefined;
  await sink(bytes);
  const [firstLine = "", ...lines] = decoder.decode(bytes).trimEnd().split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { firstLine, headers: new Map(headers) };
}

/** Passes the body of a request on. True if the whole body came. */
export async function readRequestBody(from: Side, head: Head, sink: Sink): Promise<boolean> {
  return await readFramed(from, head, sink) ?? true;
}

/**
 * Passes the body of an answer on. Its end may be that of the connection. True if the whole body
 * came and the connection can be used again.
 */
export async function readResponseBody(from: Side, head: Head, method: string, sink: Sink): Promise<boolean> {
  if (method === "HEAD" || /^HTTP\/1\.1 (1\d\d|204|304)/.test(head.firstLine)) return true;
  const whole = await readFramed(from, head, sink);
  if (whole !== undefined) return whole && head.headers.get("connection")?.toLowerCase() !== "close";
  for (let bytes = await from.read(); bytes; bytes = await from.read()) await sink(bytes);
  return false;
}

/** `undefined` if the head does not say how long the body is. */
async function readFramed(from: Side, head: Head, sink: Sink): Promise<boolean | undefined> {
  if (head.headers.get("transfer-encoding")?.toLowerCase() === "chunked") return await readChunked(from, sink);
  const length = head.headers.get("content-length");
  return length === undefined ? undefined : await readExactly(from, Number(length), sink);
}

async function readChunked(from: Side, sink: Sink): Promise<boolean> {
  while (true) {
    const size = await readUntil(from, LINE_END);
    if (!size) return false;
    await sink(size);
    const length = parseInt(decoder.decode(size), 16);
    if (length === 0) return await readTrailers(from, sink);
    if (!await readExactly(from, length + LINE_END.length, sink)) return false;
  }
}

async function readTrailers(from: Side, sink: Sink): Promise<boolean> {
  for (let line = await readUntil(from, LINE_END); line; line = await readUntil(from, LINE_END)) {
    await sink(line);
    if (line.length === LINE_END.length) return true;
  }
  return false;
}

async function readExactly(from: Side, length: number, sink: Sink): Promise<boolean> {
  for (let left = length; left > 0;) {
    const bytes = await from.read();
    if (!bytes) return false;
    const part = bytes.subarray(0, left);
    from.unread(bytes.subarray(left));
    left -= part.length;
    await sink(part);
  }
  return true;
}

async function readUntil(from: Side, mark: Uint8Array): Promise<Uint8Array | undefined> {
  let read: Uint8Array = new Uint8Array(0);
  while (true) {
    const bytes = await from.read();
    if (!bytes) return undefined;
    const seen = Math.max(0, read.length - mark.length);
    read = join([read, bytes]);
    const at = decoder.decode(read).indexOf(decoder.decode(mark), seen);
    if (at < 0) continue;
    from.unread(read.subarray(at + mark.length));
    return read.subarray(0, at + mark.length);
  }
}

/** Joins bytes. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
