/**
 * Answers whose body goes on while the client reads it.
 *
 * @module
 */

import type { Context } from "hono";
import { delay, systemClock } from "../../core/time/clock.ts";
import type { Parley } from "../../core/parley.ts";
import type { Settings } from "../options.ts";
import { type Chunk, Pieces } from "./pieces.ts";
import { isReportable } from "../wire/problem.ts";

/** Text as it comes. */
export type Chunks = AsyncGenerator<Chunk, void, undefined>;

/** A reader that takes nothing for so long has stopped. */
const STALLED_MS = 1_000;

/** What a live answer is made of. */
export interface LiveOptions {
  readonly settings: Settings;
  /** What is read from: when it may make no more requests, the body ends as it does after `maxConnectionMs`. */
  readonly parley: Pick<Parley, "spent">;
  /** Its content type. */
  readonly type: string;
  /** Sent while nothing else is, so that nobody takes the connection for dead. */
  readonly heartbeat: string;
  /** Aborted when nobody reads any more, whoever ended it; it has to end the wait for the next chunk. */
  readonly stop: AbortController;
  /** Called when the reader has stopped, to let go of what was read for it; it is read again when the reader goes on. */
  readonly letGo?: () => void;
  /** The longest that the connection is kept, where that is less than the server's own limit. */
  readonly maxMs?: number;
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers with chunks as they come. The end of the chunks ends the body. After `maxConnectionMs` the body ends without them, and the client has to
 * tell that from the end of what it reads. A failure breaks the connection off: the client must not take the body for complete.
 *
 * @param c The request; a `HEAD` gets the headers, and nothing is read.
 * @param chunks The text, each piece not empty. What goes wrong before the first is still an answer of its own, if it goes wrong soon. Each later
 * one is asked for when the client has taken the one before.
 */
export async function liveResponse(c: Context, chunks: Chunks, options: LiveOptions): Promise<Response> {
  const headers = {
    "content-type": options.type,
    // What compresses an answer keeps it until it has some more.
    "cache-control": "no-store, no-transform",
    // Of its own, so that nobody reads it to the end to make one.
    "etag": `"live-${crypto.randomUUID()}"`,
    "vary": "accept",
    // Nginx would keep the chunks until it has some more.
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    ...options.headers,
  };
  if (c.req.method === "HEAD") return new Response(null, { headers });
  const first = chunks.next();
  // Where nobody reads the body, nobody is told either.
  first.catch(() => {});
  const { signal } = c.req.raw;
  const begun = await soon(first, options, signal);
  if (signal.aborted) {
    // Nobody is there any more to end the body.
    options.stop.abort();
    chunks.return().catch(() => {});
    throw signal.reason;
  }
  const body = new LiveBody(chunks, begun ?? first, { ...options, source: `${c.req.path} ${options.type}` });
  return new Response(new ReadableStream(body, { highWaterMark: 0 }), { headers });
}

/**
 * The first chunk, unless the store is away for longer than a connection may be silent: then the answer begins without it, since nobody waits for a head
 * for ever. The caller's own end comes first.
 */
async function soon(
  first: Promise<IteratorResult<Chunk, void>>,
  { settings }: LiveOptions,
  gone: AbortSignal,
): Promise<IteratorResult<Chunk, void> | undefined> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, gone]);
  try {
    return await Promise.race([first, delay(systemClock, settings.heartbeatMs, signal).then(() => undefined)]);
  } finally {
    over.abort();
  }
}

interface BodyOptions extends LiveOptions {
  /** What its text is shared by. */
  readonly source: string;
}

/** Reads when it is read, and not before: who reads slowly slows the reading of the store, and fills no memory. */
class LiveBody implements UnderlyingDefaultSource<Uint8Array> {
  readonly #chunks: Chunks;
  readonly #options: BodyOptions;
  #next: Promise<IteratorResult<Chunk, void>> | undefined;
  /** What is left of the chunk at hand. */
  #left: Pieces | undefined;
  #stopTimer = () => {};
  #stopStall = () => {};
  #ended = false;

  constructor(
    chunks: Chunks,
    first: IteratorResult<Chunk, void> | Promise<IteratorResult<Chunk, void>>,
    options: BodyOptions,
  ) {
    this.#chunks = chunks;
    this.#next = Promise.resolve(first);
    this.#options = options;
  }

  /** The limit counts from here, so that a body that nobody ever reads ends, too. */
  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { settings: { maxConnectionMs }, maxMs = Infinity, parley: { spent } } = this.#options;
    const close = () => this.#close(controller);
    const stopTimer = systemClock.after(Math.min(maxConnectionMs, maxMs), close);
    this.#stopTimer = () => {
      stopTimer();
      spent.removeEventListener("abort", close);
    };
    spent.addEventListener("abort", close);
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#stopStall();
    try {
      this.#left ??= await this.#nextOrIdle();
      if (this.#ended) return this.#forget();
      if (!this.#left) return this.#close(controller);
      controller.enqueue(this.#left.next());
      if (this.#left.done) this.#left = undefined;
      this.#awaitPull();
      // It was so before the body began: at least what the first request has brought gets to the reader.
      if (this.#options.parley.spent.aborted) this.#close(controller);
    } catch (error) {
      // A wait that was ended with the connection has nobody to tell.
      if (this.#ended) return;
      this.#end();
      if (isReportable(error)) this.#options.settings.report(error);
      controller.error(error);
    }
  }

  cancel(): void {
    this.#end();
  }

  #awaitPull(): void {
    const { letGo } = this.#options;
    this.#stopStall();
    if (letGo && !this.#ended) this.#stopStall = systemClock.after(STALLED_MS, letGo);
  }

  #forget(): void {
    this.#left?.end();
    this.#left = undefined;
  }

  /** Never within a chunk: a reader without another connection has to make sense of what came. */
  #close(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#left && !this.#left.done) controller.enqueue(this.#left.rest());
    this.#end();
    controller.close();
  }

  #end(): void {
    this.#ended = true;
    this.#forget();
    this.#stopTimer();
    this.#stopStall();
    this.#options.stop.abort();
    // Behind a `next()` that waits, which the abort ends. What either has to say is of no interest any more.
    this.#chunks.return().catch(() => {});
  }

  /** The next chunk, or a sign of life where there is none for as long as a connection may be silent; `undefined` at the end. */
  async #nextOrIdle(): Promise<Pieces | undefined> {
    const { source } = this.#options;
    // It may come when the reader has stopped at a sign of life.
    const next = this.#next ??= this.#chunks.next().finally(() => this.#awaitPull());
    const over = new AbortController();
    try {
      const idle = delay(systemClock, this.#options.settings.heartbeatMs, over.signal).then(() => "idle" as const);
      const result = await Promise.race([next, idle]);
      if (result === "idle") return new Pieces([this.#options.heartbeat], source);
      this.#next = undefined;
      return result.done ? undefined : new Pieces(result.value, source);
    } finally {
      over.abort();
    }
  }
}
