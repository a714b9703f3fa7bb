/**
 * Reading over as many connections as it takes. If nothing arrives over a live connection, it reads
 * by short answers.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";
import { backoffMs } from "../../core/time/backoff.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import { decodeValue } from "../envelope.ts";
import { PARLEY_NDJSON } from "../protocol.ts";
import { isPassing, MAX_PAUSE_MS, Outage } from "./outage.ts";
import { asParleyError, type ClientRequest, type ClientTransport, pauseFor } from "./transport.ts";
import { CUT_MS, Patience, PAUSE_MS } from "./waiting.ts";

/**
 * A connection that is silent for this long is dead, because the server sends a blank line every
 * few seconds.
 */
const MAX_SILENCE_MS = 45_000;
/**
 * The server sends a blank line at once. If none arrives within this time, a proxy holds the answer
 * back until it is complete.
 */
const FIRST_BYTE_MS = 10_000;
/** How long a client remembers that answers do not arrive live, and starts with short ones. */
const REMEMBERED_MS = 300_000;
/**
 * Readers whose connections end at one moment reconnect spread over this time. The time grows if
 * connections keep ending at once.
 */
const COME_BACK_MS = 500;
/** After this many answers that are not of this library, the URL must be wrong. */
const MAX_FOREIGN_ANSWERS = 8;

/** The last line, which says that nothing more will come. Without it, the connection was cut. */
interface End {
  end: true;
  /** Where a stream ends. */
  nextOffset: number;
}

/** A source that is read entry by entry. */
export interface Source<Entry> {
  /** What is being done, for errors, such as `readStream`. */
  readonly operation: string;
  /** The path of the lines after an entry. */
  path(last: Entry | undefined): string;
  /** Requests the entries after another one, and waits for them. */
  poll(last: Entry | undefined, waitMs: number, signal: AbortSignal): Promise<{ entries: Entry[]; ended: boolean }>;
  /** Called with the last line. */
  onEnd?(line: End): void;
}

/** An answer of a server that answers 200 to everything, such as the page of a gateway. */
class ForeignAnswer extends DriverError {}

/** A connection that ended before any byte arrived. */
class NothingCame extends Error {}

/** Clients whose live answers were held back, and until when they remember that. */
const buffered = new WeakMap<ClientTransport, { until: number; told: boolean }>();

/** All entries of a source. */
export async function* resumed<Entry extends object>(
  transport: ClientTransport,
  source: Source<Entry>,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
  const { clock } = transport;
  const { operation } = source;
  const outage = new Outage(transport);
  const patience = new Patience();
  let last: Entry | undefined;
  let live = (buffered.get(transport)?.until ?? -Infinity) <= clock.now();
  for (let brief = 0;;) {
    const begun = clock.now();
    try {
      if (!live) {
        const { entries, ended } = await source.poll(last, patience.waitMs, signal);
        outage.over();
        tell(transport, operation);
        for (const entry of entries) yield last = entry;
        if (ended) return;
        if (entries.length === 0 && clock.now() - begun < PAUSE_MS) await pauseFor(clock, PAUSE_MS, signal);
        continue;
      }
      for await (const entry of lines<Entry>(transport, { operation, path: source.path(last) }, signal)) {
        outage.over();
        brief = 0;
        if ("end" in entry) return source.onEnd?.(entry);
        yield last = entry;
      }
      // The server cut the connection, as it does with every connection in time. If it does so at
      // once, and repeatedly, the pauses grow.
      if (clock.now() - begun >= MAX_PAUSE_MS) brief = 0;
      await pauseFor(clock, comeBackMs(brief++), signal);
    } catch (error) {
      const tookMs = clock.now() - begun;
      if (error instanceof NothingCame) {
        live = false;
        remember(transport);
        continue;
      }
      const known = asParleyError(error, operation, signal);
      if (!isPassing(known) || (known instanceof ForeignAnswer && outage.failures >= MAX_FOREIGN_ANSWERS)) throw known;
      if (!live) patience.failed(tookMs);
      // A gateway may have waited for the end of the answer.
      else if (tookMs >= CUT_MS && error instanceof DriverError) live = false;
      await outage.outlive(known, operation, signal);
    }
  }
}

function comeBackMs(brief: number): number {
  if (brief === 0) return COME_BACK_MS * Math.random();
  return backoffMs(brief, { firstMs: COME_BACK_MS, maxMs: MAX_PAUSE_MS });
}

function remember(transport: ClientTransport): void {
  buffered.set(transport, {
    told: buffered.get(transport)?.told ?? false,
    until: transport.clock.now() + REMEMBERED_MS,
  });
}

/** Reports once per client that answers come late, as soon as short answers work. */
function tell(transport: ClientTransport, operation: string): void {
  const known = buffered.get(transport);
  if (!known || known.told) return;
  known.told = true;
  const why =
    "nothing arrives over a live connection, perhaps because a proxy holds an answer back until it is complete";
  transport.report(
    new DriverError(`Parley over HTTP: ${operation} repeats short requests: ${why}`, {
      retryable: true,
    }),
  );
}

/** The lines of one connection. */
async function* lines<Entry>(
  transport: ClientTransport,
  request: ClientRequest,
  signal: AbortSignal,
): AsyncGenerator<Entry | (Entry & End), void, undefined> {
  let reader: ReadableStreamDefaultReader<string> | undefined;
  try {
    const response = await withTimeLimit(
      transport.limit(FIRST_BYTE_MS, signal, () => new NothingCame()),
      ({ signal }) => transport.open(request, PARLEY_NDJSON, signal),
    );
    if (!response.headers.get("content-type")?.startsWith(PARLEY_NDJSON)) {
      await response.body?.cancel();
      throw new ForeignAnswer(`Parley over HTTP: ${request.operation} got an answer that is not of this library`, {
        retryable: true,
      });
    }
    if (!response.body) throw new NothingCame();
    reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let limitMs = FIRST_BYTE_MS;; limitMs = MAX_SILENCE_MS) {
      const limit = transport.limit(limitMs, signal, () => new NothingCame());
      const { done, value } = await withTimeLimit(limit, () => reader!.read()).catch((error) => {
        if (limitMs === FIRST_BYTE_MS || !(error instanceof NothingCame)) throw error;
        // A connection that is silent for too long is treated as cut.
        return { done: true, value: undefined } as const;
      });
      if (done && limitMs === FIRST_BYTE_MS) throw new NothingCame();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop()!;
      for (const line of parts) if (line !== "") yield toLine(line) as Entry;
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

function toLine(text: string): object {
  const line: { value?: unknown } = JSON.parse(text);
  return "value" in line ? { ...line, value: decodeValue(line.value) } : line;
}
