/**
 * A durable stream as Server-Sent Events, which `EventSource` resumes by itself.
 *
 * @module
 */

/** Proxies cut a connection that is silent for long. A comment says that it is alive, and no client sees it. */
const HEARTBEAT_MS = 15_000;

/** A value and its place. */
export interface StreamEntry {
  offset: number;
  value: unknown;
}

/** Where to read on, by the `Last-Event-ID` that a browser sends when it connects again. `undefined`: it is not one of ours. */
export function resumeFrom(lastEventId: string | undefined): number | undefined {
  if (!lastEventId) return 0;
  return /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) + 1 : undefined;
}

/**
 * Answers with the entries as they come.
 *
 * The end of a connection is not the end of a stream, and `EventSource` connects again after either. So the end of the stream is an event,
 * `end`, at which the browser closes.
 *
 * @param read Reads the stream until the signal aborts, which it does when the client is gone.
 * @param heartbeatMs After how many idle milliseconds a comment is sent.
 */
export function eventStream(read: (signal: AbortSignal) => AsyncIterable<StreamEntry>, heartbeatMs: number = HEARTBEAT_MS): Response {
  const gone = new AbortController();
  const entries = read(gone.signal)[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<StreamEntry>> | undefined;
  const encoder = new TextEncoder();

  // A pull at a time: a client that reads slowly slows the reading of the store, not the memory of this process.
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      next ??= entries.next();
      const result = await withHeartbeat(next, heartbeatMs, gone.signal);
      if (gone.signal.aborted) return;
      if (result !== "heartbeat") next = undefined;
      controller.enqueue(encoder.encode(frame(result)));
      if (result !== "heartbeat" && result.done) controller.close();
    },
    async cancel() {
      gone.abort();
      await entries.return?.();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}

function frame(result: IteratorResult<StreamEntry> | "heartbeat"): string {
  if (result === "heartbeat") return ":\n\n";
  if (result.done) return "event: end\ndata: {}\n\n";
  return `id: ${result.value.offset}\ndata: ${JSON.stringify(result.value.value)}\n\n`;
}

/** What comes, or the time for a heartbeat if nothing does. */
async function withHeartbeat<T>(next: Promise<T>, heartbeatMs: number, gone: AbortSignal): Promise<T | "heartbeat"> {
  const { promise: heartbeat, resolve } = Promise.withResolvers<"heartbeat">();
  const timer = setTimeout(resolve, heartbeatMs, "heartbeat" as const);
  try {
    return await Promise.race([next, heartbeat]);
  } catch (error) {
    // The read rejects because the client is gone: there is nobody to tell.
    if (gone.aborted) return "heartbeat";
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
