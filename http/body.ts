/**
 * The bytes of a request's body.
 *
 * @module
 */

import type { Context } from "hono";

/**
 * Reads a body to its end, however it is framed.
 *
 * @param limit How many bytes it may have.
 * @returns The bytes; `undefined` if there are more, of which no more are read than it takes to know.
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
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}
