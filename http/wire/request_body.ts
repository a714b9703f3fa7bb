/**
 * The bytes of a request's body.
 *
 * @module
 */

import type { Context } from "hono";
import { systemClock } from "../../core/time/clock.ts";
import { ValidationError } from "../../core/errors.ts";
import { unlessAborted } from "../../core/time/wait.ts";
import { refusal } from "./problem.ts";

/** How much of a body, and for how long. */
export interface BodyLimits {
  /** How many bytes it may have. */
  readonly bytes: number;
  /** How many milliseconds it may take to come. */
  readonly ms: number;
}

/**
 * Reads a body to its end, however it is framed.
 *
 * @returns The bytes.
 * @throws {ValidationError} If it breaks off, as where the client has gone, or is not there any more.
 * @throws {HTTPException} 413, if there are too many bytes, of which no more are read than it takes to know; 408, if they take too long.
 */
export async function readBytes(c: Context, limits: BodyLimits, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    refusal("body_too_large", `Reading the ${what}: it may have at most ${limits.bytes} bytes`, {
      fields: { limit: limits.bytes },
    });
  const declared = Number(c.req.header("content-length") ?? 0);
  if (declared > limits.bytes) throw tooLarge();
  // The declared length is not believed: what comes is counted.
  const body = await bodyOf(c, what);
  const bytes = body === null ? new Uint8Array() : await collect(body, limits, what);
  if (!bytes) throw tooLarge();
  if (bytes.length === 0 && declared > 0) throw readBefore(what, ValidationError);
  // For who looks at the body after this, such as an auth that checks a signature.
  Object.assign(c.req.bodyCache, { arrayBuffer: Promise.resolve(bytes.buffer) });
  return bytes;
}

/** Whoever ran before may have read the body; if it was by Hono, that has kept it. */
async function bodyOf(c: Context, what: string): Promise<ReadableStream<Uint8Array> | null> {
  const { raw } = c.req;
  if (!raw.bodyUsed && !raw.body?.locked) return raw.body;
  try {
    return new Blob([await c.req.arrayBuffer()]).stream();
  } catch {
    throw readBefore(what, Error);
  }
}

/** Where it is known that it was so it is a mistake of the owner; a body that is empty may be one of the caller. */
function readBefore(what: string, Kind: new (message: string) => Error): Error {
  return new Kind(
    `Reading the ${what}: there is nothing left of it; what reads bodies, as express.json(), must come after this, or read them by the methods of Hono's request`,
  );
}

async function collect(
  body: ReadableStream<Uint8Array>,
  limits: BodyLimits,
  what: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of read(body, limits.ms, what)) {
    length += chunk.byteLength;
    if (length > limits.bytes) return undefined;
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

/** Not every runtime can iterate a stream. The time is that of the whole: a byte now and then does not make it longer. */
async function* read(body: ReadableStream<Uint8Array>, ms: number, what: string): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  const late = new AbortController();
  const stop = systemClock.after(
    ms,
    () =>
      late.abort(
        refusal("body_too_slow", `Reading the ${what}: it must come within ${ms} ms`, {
          headers: { connection: "close" },
        }),
      ),
  );
  try {
    for (let part = await next(reader, late.signal, what); !part.done; part = await next(reader, late.signal, what)) {
      yield part.value;
    }
  } finally {
    stop();
    // Of one that broke off it rejects; of one that stands still it may never settle.
    reader.cancel().catch(() => {});
  }
}

async function next(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  late: AbortSignal,
  what: string,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await unlessAborted(reader.read(), late);
  } catch {
    if (late.aborted) throw late.reason;
    // Not the server's fault: a client may go away at any byte.
    throw new ValidationError(`Reading the ${what}: it broke off`);
  }
}
