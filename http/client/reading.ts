/**
 * Streams and events over connections that end: each is read on where the last one left off.
 *
 * @module
 */

import type { EventEntry, EventReader, ReadStreamOptions, StreamReader, WatchEventOptions } from "../../core/client.ts";
import { devalueCodec } from "../../core/codec.ts";
import { DriverError } from "../../core/errors.ts";
import { Entries } from "../../core/entries.ts";
import { checkWhole } from "../../core/numbers.ts";
import { unlessAborted } from "../../core/wait.ts";
import { PARLEY_NDJSON } from "../media_types.ts";
import { asParleyError, type ClientRequest, limited, pause, type Transport } from "./transport.ts";

/** A connection that is silent for so long is dead: the server sends a blank line every 15 s. */
const SILENCE_MS = 45_000;
/** How long to wait until a connection that failed is made again: 0.1 s, doubling to 5 s, with jitter. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** So many failures in a row, about 20 s, are a fault that does not pass. */
const MOST_FAILURES = 8;

/** The last line: nothing will come any more. Without it the connection was cut. */
interface End {
  end: true;
}

/**
 * The entries of a resource that comes as lines, over as many connections as it takes.
 *
 * @param request The request to read on, after this entry.
 */
async function* resumed<Entry extends object>(
  transport: Transport,
  request: (last: Entry | undefined) => ClientRequest,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
  let last: Entry | undefined;
  for (let failures = 0, brief = 0;;) {
    const begun = transport.clock.now();
    try {
      for await (const entry of lines<Entry>(transport, request(last), signal)) {
        failures = brief = 0;
        if ("end" in entry) return;
        last = entry;
        yield entry;
      }
      // Cut by the server, which ends every connection once. One that does so at once, and again, is asked ever less often.
      if (transport.clock.now() - begun >= LONGEST_PAUSE_MS) brief = 0;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** brief++, LONGEST_PAUSE_MS);
      await pause(transport.clock, pauseMs * (0.5 + Math.random() / 2), signal);
    } catch (error) {
      const known = asParleyError(error, request(last).operation, signal);
      if (!(known instanceof DriverError && known.retryable) || ++failures > MOST_FAILURES) throw known;
      await pause(transport.clock, Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2), signal);
    }
  }
}

/** The lines of one connection. */
async function* lines<Entry>(
  transport: Transport,
  request: ClientRequest,
  signal: AbortSignal,
): AsyncGenerator<Entry | (Entry & End), void, undefined> {
  const { clock } = transport;
  const open = limited(clock, SILENCE_MS, signal);
  let reader: ReadableStreamDefaultReader<string> | undefined;
  let stop = open.stop;
  try {
    const response = await transport.open(request, PARLEY_NDJSON, open.signal);
    // Of whoever answers 200 to anything, as the page of a gateway.
    if (!response.headers.get("content-type")?.startsWith(PARLEY_NDJSON)) {
      await response.body?.cancel();
      throw new DriverError(`Parley over HTTP: ${request.operation} got an answer that is not of this library`, { retryable: true });
    }
    reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "";;) {
      stop();
      stop = clock.after(SILENCE_MS, () => void reader?.cancel(new DOMException("silent", "TimeoutError")).catch(() => {}));
      const { done, value } = await unlessAborted(reader!.read(), signal);
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop()!;
      for (const line of parts) if (line !== "") yield devalueCodec.decode(line) as Entry;
    }
  } finally {
    stop();
    await reader?.cancel().catch(() => {});
  }
}

/** A stream behind the adapter. */
export class RemoteStream<T> extends Entries<T, { offset: number; value: T }> implements StreamReader<T> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #from: number;
  readonly #wait: boolean;

  constructor(transport: Transport, path: string, { from = 0, wait = true, signal }: ReadStreamOptions) {
    super(signal);
    checkWhole(from, "offset", 0);
    this.#transport = transport;
    this.#path = path;
    this.#from = from;
    this.#wait = wait;
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const values: T[] = [];
    let closed = this.#wait;
    const collecting = this.#wait ? this : this.iterate((signal) => this.#pageValues(signal, (it) => closed = it));
    for await (const value of collecting) values.push(value);
    return { values, closed, nextOffset: this.#from + values.length };
  }

  async *#pageValues(signal: AbortSignal, onClosed: (closed: boolean) => void): AsyncGenerator<T, void, undefined> {
    for (let from = this.#from;;) {
      const page = await this.#page(from, signal);
      yield* page.values;
      from = page.nextOffset;
      onClosed(page.closed);
      if (page.closed || page.values.length === 0) return;
    }
  }

  #page(from: number, signal: AbortSignal): Promise<{ values: T[]; nextOffset: number; closed: boolean }> {
    return this.#transport.call({ operation: "readStream", path: `${this.#path}?from=${from}`, signal });
  }

  protected async *read(signal: AbortSignal): AsyncGenerator<{ offset: number; value: T }, void, undefined> {
    if (this.#wait) {
      const request = (last?: { offset: number }) => ({
        operation: "readStream",
        path: `${this.#path}?from=${last === undefined ? this.#from : last.offset + 1}`,
      });
      return yield* resumed<{ offset: number; value: T }>(this.#transport, request, signal);
    }
    let offset = this.#from;
    for await (const value of this.#pageValues(signal, () => {})) yield { offset: offset++, value };
  }
}

/** An event behind the adapter. */
export class RemoteEvent<T> extends Entries<T, EventEntry<T>> implements EventReader<T> {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #after: number;

  constructor(transport: Transport, path: string, { after = 0, signal }: WatchEventOptions) {
    super(signal);
    checkWhole(after, "version", 0);
    this.#transport = transport;
    this.#path = path;
    this.#after = after;
  }

  protected read(signal: AbortSignal): AsyncGenerator<EventEntry<T>, void, undefined> {
    const request = (last?: EventEntry<T>) => ({
      operation: "watchEvent",
      path: `${this.#path}?after=${last?.version ?? this.#after}`,
    });
    return resumed<EventEntry<T>>(this.#transport, request, signal);
  }
}
