/**
 * The bytes of a request's body.
 *
 * @module
 */

import type { Context } from "hono";
import { ValidationError } from "../core/errors.ts";

/**
 * Reads a body to its end, however it is framed.
 *
 * @param limit How many bytes it may have.
 * @returns The bytes; `undefined` if there are more, of which no more are read than it takes to know.
 * @throws {ValidationError} If it breaks off, as where the client has gone.
 */
export async function readBytes(c: Context, limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (Number(c.req.header("content-length") ?? 0) > limit) return undefined;
  // The declared length is not believed: what comes is counted. Whoever ran before may have read the body, and Hono kept it then.
  const body = c.req.raw.bodyUsed ? new Blob([await c.req.arrayBuffer()]).stream() : c.req.raw.body;
  const bytes = body === null ? new Uint8Array() : await collect(body, limit);
  // For who looks at the body after this, such as an auth that checks a signature.
  if (bytes) Object.assign(c.req.bodyCache, { arrayBuffer: Promise.resolve(bytes.buffer) });
  return bytes;
}

async function collect(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of read(body)) {
    length += chunk.byteLength;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** Not every runtime can iterate a stream. */
async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let part = await next(reader); !part.done; part = await next(reader)) yield part.value;
  } finally {
    // Of one that broke off it rejects.
    await reader.cancel().catch(() => {});
  }
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch {
    // Not the server's fault: a client may go away at any byte.
    throw new ValidationError("Reading the body: it broke off");
  }
}
