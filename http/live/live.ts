/**
 * Answers whose body continues while the client reads it.
 *
 * @module
 */

import type { Context } from "hono";
import { delay, systemClock } from "../../core/time/clock.ts";
import type { Settings } from "../options.ts";
import type { ServedClient } from "../served_client.ts";
import { type Chunk, Pieces } from "./pieces.ts";
import { isReportable } from "../wire/problem.ts";

/** Text as it arrives. */
export type Chunks = AsyncGenerator<Chunk, void, undefined>;

/** A reader that takes nothing for this long has stopped. */
const STALLED_MS = 1_000;

/** The parts of a live answer. */
export interface LiveOptions {
  readonly settings: Settings;
  /** The source. When it may make no more requests, the body ends as after `maxConnectionMs`. */
  readonly parley: Pick<ServedClient, "spent">;
  /** Its content type. */
  readonly type: string;
  /** Sent while there is no other text, so that nobody takes the connection for dead. */
  readonly heartbeat: string;
  /** Aborts when reading ends, whoever ended it. The abort must end the wait for the next chunk. */
  readonly stop: AbortController;
  /**
   * Called when the reader has stopped, to drop what was read for it. It is read again when the
   * reader continues.
   */
  readonly letGo?: () => void;
  /**
   * The longest duration of the connection in milliseconds, if that is less than the server's own
   * limit.
   */
  readonly maxMs?: number;
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers with chunks as they arrive. The end of the chunks ends the body.
 *
 * After `maxConnectionMs` the body ends earlier, and the client can tell that from the last thing
 * it read. A failure breaks the connection off, so that the client does not take the body for
 * complete.
 *
 * @param c The request. A `HEAD` gets the headers, and nothing is read.
 * @param chunks The text in pieces that are not empty. An error before the first piece still
 * becomes an answer of its own, if it comes soon. Each later piece is requested when the client has
 * taken the one before.
 */
export async function liveResponse(c: Context, chunks: Chunks, options: LiveOptions): Promise<Response> {
  const headers = {
    "content-type": options.type,
    // Software that compresses an answer holds it back until there is more.
    "cache-control": "no-store, no-transform",
    // A unique tag keeps middleware from reading the body to its end to compute one.
    "etag": `"live-${crypto.randomUUID()}"`,
    "vary": "accept",
    // Nginx would hold the chunks back until there are more.
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    ...options.headers,
  };
  if (c.req.method === "HEAD") return new Response(null, { headers });
  const first = chunks.next();
  // If nobody reads the body, nobody learns of the error.
  first.catch(() => {});
  const { signal } = c.req.raw;
  const begun = await soon(first, options, signal);
  if (signal.aborted) {
    // Nobody is left who could end the body.
    options.stop.abort();
    chunks.return().catch(() => {});
    throw signal.reason;
  }
  const body = new LiveBody(chunks, begun ?? first, { ...options, source: `${c.req.path} ${options.type}` });
  return new Response(new ReadableStream(body, { highWaterMark: 0 }), { headers });
}

/**
 * The first chunk. If the store is away for longer than a connection may be silent, the answer
 * begins without the chunk. Clients do not wait forever for headers. If the caller goes away, the
 * wait for the chunk ends.
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
  /** The texts of readers with the same source are shared. */
  readonly source: string;
}

/**
 * A body that reads its source only when it is read. So a slow reader slows down the reading of the
 * store, and fills no memory.
 */
class LiveBody implements UnderlyingDefaultSource<Uint8Array> {
  readonly #chunks: Chunks;
  readonly #options: BodyOptions;
  #next: Promise<IteratorResult<Chunk, void>> | undefined;
  /** The rest of the current chunk. */
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

  /** The time limit starts here, so that a body that nobody reads ends too. */
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
      // The requests may have been used up before the body began. The reader still gets what the
      // first request brought.
      if (this.#options.parley.spent.aborted) this.#close(controller);
    } catch (error) {
      // The wait ended with the connection, so there is nobody to tell.
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

  /**
   * Ends the body, but never within a chunk. A reader that makes no other connection must
   * understand what it got.
   */
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
    // This waits for a pending `next()`, which the abort ends. Neither outcome matters any more.
    this.#chunks.return().catch(() => {});
  }

  /**
   * The next chunk; `undefined` at the end. If nothing comes for as long as a connection may be
   * silent, this is a heartbeat.
   */
  async #nextOrIdle(): Promise<Pieces | undefined> {
    const { source } = this.#options;
    // The chunk may come after the reader has stopped at a heartbeat.
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
