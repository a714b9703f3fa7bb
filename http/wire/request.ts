/**
 * The parts of a request: what its URL and its headers say, and its body, as bytes or as JSON. The
 * values in the body stay encoded.
 *
 * @module
 */

import type { Context } from "hono";
import { systemClock } from "../../core/time/clock.ts";
import { ValidationError } from "../../core/errors.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import { toTraceparent } from "../../core/values/marked_text.ts";
import { PARLEY_JSON } from "../protocol.ts";
import { refusal } from "./problem.ts";

/** Limits of one body. */
export interface BodyLimits {
  /** Its largest size in bytes. */
  readonly bytes: number;
  /** How long it may take to arrive, in milliseconds. */
  readonly ms: number;
}

/** The body of a request. */
export interface RequestBody {
  /** Its unchecked JSON. Members that hold values may be of any kind. */
  readonly json: unknown;
  /** Whether its values are encoded as devalue does. */
  readonly isEncoded: boolean;
}

/**
 * How deep a plain body may be nested. A recursive schema would overflow the stack of some
 * runtimes.
 */
const MAX_DEPTH = 1_000;

/** Reads a JSON body of either content type. */
export async function readBody(c: Context, limits: BodyLimits): Promise<RequestBody> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" && type !== PARLEY_JSON) {
    throw refusal("unsupported_media_type", `Reading the body: its content type must be application/json`);
  }
  const json = parseJson(await readBytes(c, limits, "body"), "Reading the body: it must be JSON, in UTF-8");
  const isEncoded = type === PARLEY_JSON;
  if (!isEncoded) checkDepth(json, MAX_DEPTH);
  return { json, isEncoded };
}

/**
 * Parses JSON.
 *
 * @throws {ValidationError} With this message, if the bytes are not JSON in UTF-8. Decoding other
 * bytes would change the text that is stored.
 */
export function parseJson(bytes: Uint8Array, message: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ValidationError(message);
  }
}

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw new ValidationError(`Reading the body: it must be nested at most ${MAX_DEPTH} deep`);
  for (const part of Array.isArray(value) ? value : Object.values(value)) checkDepth(part, left - 1);
}

/**
 * The idempotency key of a request: the member of its body, or the header `Idempotency-Key`.
 *
 * @param member The value of the member, if the body has it.
 * @param doing What the request does, and the member's name, for the error.
 * @throws {ValidationError} If the body and the header have different keys, or the header is not
 * ASCII. Clients send such a header as UTF-8 or as ISO 8859-1. No server can tell which, so one key
 * could become two.
 */
export function idempotencyKeyOf(
  c: Context,
  member: string | undefined,
  { doing, name }: { doing: string; name: string },
): string | undefined {
  const header = c.req.header("idempotency-key");
  if (header === undefined) return member;
  if (!/^[\t\x20-\x7e]*$/.test(header)) {
    throw new ValidationError("Reading the header Idempotency-Key: it must be ASCII; put other text into the body");
  }
  if (member === undefined || member === header) return header;
  throw new ValidationError(`${doing}: ${name} and the header Idempotency-Key must be the same where both are given`);
}

/**
 * The trace of a request, as an option of `start` and `send`: the member of its body, or the header
 * `traceparent`. As W3C Trace Context demands, a header that is not legal counts as absent.
 *
 * @param member The value of the member, if the body has it.
 */
export function traceOf(c: Context, member: string | undefined): { traceparent?: string } {
  const traceparent = member ?? toTraceparent(c.req.header("traceparent"));
  return traceparent === undefined ? {} : { traceparent };
}

/**
 * Reads all bytes of a body, however it is framed.
 *
 * @returns The bytes.
 * @throws {ValidationError} If the body breaks off, as when the client goes away, or was read
 * before.
 * @throws {HTTPException} 413 if there are too many bytes, and 408 if they take too long. Reading
 * stops as soon as that is known.
 */
export async function readBytes(c: Context, limits: BodyLimits, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    refusal("body_too_large", `Reading the ${what}: it may have at most ${limits.bytes} bytes`, {
      fields: { limit: limits.bytes },
    });
  const declared = Number(c.req.header("content-length") ?? 0);
  if (declared > limits.bytes) throw tooLarge();
  // The declared length may be wrong, so the bytes are counted.
  const body = await bodyOf(c, what);
  const bytes = body === null ? new Uint8Array() : await collect(body, limits, what);
  if (!bytes) throw tooLarge();
  if (bytes.length === 0 && declared > 0) throw readBefore(what, ValidationError);
  // Code that runs later may read the body too, such as an auth that checks a signature.
  Object.assign(c.req.bodyCache, { arrayBuffer: Promise.resolve(bytes.buffer) });
  return bytes;
}

/**
 * Earlier middleware may have read the body. If it used Hono's methods, Hono has kept the bytes.
 */
async function bodyOf(c: Context, what: string): Promise<ReadableStream<Uint8Array> | null> {
  const { raw } = c.req;
  if (!raw.bodyUsed && !raw.body?.locked) return raw.body;
  try {
    return new Blob([await c.req.arrayBuffer()]).stream();
  } catch {
    throw readBefore(what, Error);
  }
}

/**
 * The error for a body without bytes. If the body was certainly read before, that is the server's
 * mistake. An empty body may be the caller's.
 */
function readBefore(what: string, Kind: new (message: string) => Error): Error {
  return new Kind(
    `Reading the ${what}: its bytes are gone; middleware that reads bodies, such as express.json(), must ` +
      "come after this, or use the methods of Hono's request",
  );
}

/**
 * Reads the bytes of a stream; `undefined` if there are too many. The time limit is for the whole
 * body, so a byte now and then does not extend it.
 */
async function collect(
  body: ReadableStream<Uint8Array>,
  { bytes: maxBytes, ms }: BodyLimits,
  what: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  // Not every runtime can iterate a stream.
  const reader = body.getReader();
  const error = () =>
    refusal("body_too_slow", `Reading the ${what}: it must arrive within ${ms} ms`, {
      headers: { connection: "close" },
    });
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    return await withTimeLimit({ ms, clock: systemClock, error }, async () => {
      for (let part = await next(reader, what); !part.done; part = await next(reader, what)) {
        length += part.value.byteLength;
        if (length > maxBytes) return undefined;
        chunks.push(part.value);
      }
      return join(chunks, length);
    });
  } finally {
    // This rejects if the body broke off, and may never settle if the body stands still.
    reader.cancel().catch(() => {});
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function next(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  what: string,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch {
    // Not the server's fault, because a client may go away at any byte.
    throw new ValidationError(`Reading the ${what}: it broke off`);
  }
}

/**
 * Reads a part of the URL. Old versions of Hono, such as 4.4, throw if the part cannot be decoded.
 * Newer versions leave it as it is.
 *
 * @param read Reads the part through Hono.
 * @throws {ValidationError} If Hono cannot decode it, which is the caller's fault.
 */
export function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new ValidationError("Reading the URL: it must be UTF-8 that is percent-encoded");
  }
}
