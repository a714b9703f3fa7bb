/**
 * One connection for several readers of a workflow.
 *
 * A browser has six connections to a server over HTTP/1.1, for all its tabs together. So readers
 * that start in one tick share a connection. Sharing only saves connections: after any refusal, or
 * if live answers do not arrive, each reader continues by itself from its own position.
 *
 * @module
 */

import { onAbort } from "../../core/read/iteration.ts";
import { unlessAborted } from "../../core/time/wait.ts";
import { toSegment } from "../segment.ts";
import { resumed } from "./resuming.ts";
import type { ClientTransport } from "./transport.ts";

/** The most readers of a connection, which is the server's limit. */
const MAX_READERS = 20;
/**
 * The most entries that wait for a reader. If more come because another reader is faster, the
 * readers part.
 */
const MAX_WAITING = 100;
/**
 * How many turns of the microtask queue readers that start in one tick may be apart. They pass
 * through different numbers of iterators.
 */
const MICROTASKS = 20;

/** What a reader reads, and from where. */
export interface Reading<Entry> {
  /** The path of the workflow. */
  readonly workflow: string;
  readonly kind: "stream" | "event";
  readonly key: string;
  /** The next offset of a stream, or the last version of an event. */
  readonly position: number;
  /** The position after an entry. */
  after(entry: Entry): number;
  /** Reads from a position over connections of its own. */
  alone(position: number): AsyncGenerator<Entry, void, undefined>;
  /** Called with the line that says that the stream has ended. */
  onEnd?(line: { nextOffset: number }): void;
}

/** A line of a shared connection. */
type SharedLine = { stream?: string; event?: string; closed?: true; nextOffset: number; value?: unknown };

/** The path of a stream or an event. */
export function pathOf({ workflow, kind, key }: Pick<Reading<never>, "workflow" | "kind" | "key">): string {
  return `${workflow}/${kind}s/${toSegment(key)}`;
}

/** All entries of a reader. */
export async function* shared<Entry extends object>(
  transport: ClientTransport,
  reading: Reading<Entry>,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
  let { position } = reading;
  for (;;) {
    const reader = new SharedReader<Entry>(reading, position);
    const connection = await gather(transport, reader as SharedReader<object>);
    if (!connection) break;
    yield* reader.entries(connection, signal);
    ({ position } = reader);
    if (reader.ended) return;
    if (connection.state === "refused") break;
  }
  yield* reading.alone(position);
}

/** A reader while it shares a connection. */
class SharedReader<Entry extends object> {
  readonly reading: Reading<Entry>;
  /** The position after all entries that have arrived. */
  position: number;
  /** Whether nothing more will come. */
  ended = false;
  /** The entries that the reader has not taken. */
  readonly waiting: Entry[] = [];

  constructor(reading: Reading<Entry>, position: number) {
    this.reading = reading;
    this.position = position;
  }

  async *entries(connection: SharedConnection, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    // The signal also aborts when the iterator is garbage-collected. In that case `finally` does
    // not run.
    const leave = onAbort(signal, () => connection.leave(this as SharedReader<object>));
    try {
      for (;;) {
        for (let entry = this.waiting.shift(); entry; entry = this.waiting.shift()) yield entry;
        if (this.ended || connection.state !== "open") return;
        signal.throwIfAborted();
        await unlessAborted(connection.advance(), signal);
      }
    } finally {
      leave();
    }
  }

  take(entry: Entry): void {
    this.position = this.reading.after(entry);
    this.waiting.push(entry);
  }
}

/** A connection that readers share. It is read only while one of them waits. */
class SharedConnection {
  /** `parted`: the readers that remain may share another one. `refused`: each reads by itself. */
  state: "open" | "parted" | "refused" = "open";
  readonly #readers: ReadonlyMap<string, SharedReader<object>>;
  readonly #lines: AsyncGenerator<SharedLine, void, undefined>;
  readonly #ending = new AbortController();
  #advancing: Promise<void> | undefined;

  constructor(transport: ClientTransport, workflow: string, readers: readonly SharedReader<object>[]) {
    // The server has the positions of streams before those of events.
    const ordered = readers.toSorted((a, b) =>
      Number(b.reading.kind === "stream") - Number(a.reading.kind === "stream")
    );
    this.#readers = new Map(ordered.map((it) => [nameOf(it.reading), it]));
    const query = new URLSearchParams(ordered.map(({ reading: { kind, key } }) => [kind, key]));
    this.#lines = resumed<SharedLine>(transport, {
      operation: ordered.some(({ reading }) => reading.kind === "stream") ? "readStream" : "watchEvent",
      path: () => `${workflow}/live?${query}&after=${ordered.map(({ position }) => position).join(".")}`,
      poll: () => {
        this.#part("refused");
        return Promise.resolve({ entries: [], ended: true });
      },
    }, this.#ending.signal);
  }

  /** Whether a reader is one of those that share the connection. */
  has(reader: SharedReader<object>): boolean {
    return this.#readers.get(nameOf(reader.reading)) === reader;
  }

  /** Reads on by a line. Readers that wait at one time wait for the same line. */
  advance(): Promise<void> {
    return this.#advancing ??= this.#advance().finally(() => this.#advancing = undefined);
  }

  /** Removes a reader. The others go on without it. */
  leave(reader: SharedReader<object>): void {
    // If all have ended, nobody reads the last line.
    if (!reader.ended || [...this.#readers.values()].every(({ ended }) => ended)) this.#part("parted");
  }

  async #advance(): Promise<void> {
    try {
      const { done, value } = await this.#lines.next();
      if (!done) this.#give(value);
      else if (this.state === "open") { for (const reader of this.#readers.values()) reader.ended = true; }
    } catch {
      // Each reader finds out by itself what is wrong.
      this.#part("refused");
    }
  }

  #give({ stream, event, ...entry }: SharedLine): void {
    const reader = this.#readers.get(
      nameOf({ kind: stream === undefined ? "event" : "stream", key: stream ?? event! }),
    );
    if (entry.closed) {
      reader!.ended = true;
      reader!.reading.onEnd?.(entry);
    } else reader!.take(entry);
    if (reader!.waiting.length >= MAX_WAITING) this.#part("parted");
  }

  #part(state: "parted" | "refused"): void {
    if (this.state !== "open") return;
    this.state = state;
    this.#ending.abort();
    // If nobody waits for a line, the abort alone does not end the connection.
    this.#lines.return().catch(() => {});
  }
}

/** The readers of a workflow that start in one tick, and the connection that they will share. */
interface Gathering {
  readonly readers: SharedReader<object>[];
  readonly connection: Promise<SharedConnection | undefined>;
}

const gatherings = new WeakMap<ClientTransport, Map<string, Gathering>>();

/** The connection that a reader shares with others of its workflow; `undefined` if there are none. */
async function gather(transport: ClientTransport, reader: SharedReader<object>): Promise<SharedConnection | undefined> {
  const { workflow } = reader.reading;
  const all = gatherings.get(transport) ?? new Map<string, Gathering>();
  gatherings.set(transport, all);
  let gathering = all.get(workflow);
  if (!gathering) {
    const readers: SharedReader<object>[] = [];
    const connect = async () => {
      for (let turn = 0; turn < MICROTASKS; turn++) await undefined;
      all.delete(workflow);
      // Another reader of the same stream or event reads by itself.
      const isFirst = (it: SharedReader<object>) =>
        it === readers.find(({ reading }) => nameOf(reading) === nameOf(it.reading));
      const sharing = readers.filter(isFirst).slice(0, MAX_READERS);
      return sharing.length > 1 ? new SharedConnection(transport, workflow, sharing) : undefined;
    };
    gathering = { readers, connection: connect() };
    all.set(workflow, gathering);
  }
  gathering.readers.push(reader);
  const connection = await gathering.connection;
  return connection?.has(reader) ? connection : undefined;
}

function nameOf({ kind, key }: Pick<Reading<never>, "kind" | "key">): string {
  return `${kind}:${key}`;
}
