/**
 * Streams and events over connections that end. Each one continues where the last one stopped.
 *
 * @module
 */

import type { WorkflowInfo } from "../../core/client.ts";
import type {
  EventEntry,
  EventReader,
  ReadStreamOptions,
  StreamReader,
  WatchEventOptions,
} from "../../core/readers.ts";
import { EndableIterable } from "../../core/read/iteration.ts";
import { TimeoutError, WorkflowEndedError } from "../../core/errors.ts";
import { checkWholeNumber } from "../../core/values/checks.ts";
import { decodeValue } from "../envelope.ts";
import { resumed, type Source } from "./resuming.ts";
import { pathOf, shared } from "./sharing.ts";
import type { ClientTransport } from "./transport.ts";

/** A page of a stream, as an answer has it. */
interface StreamAnswer<T> {
  values: T[];
  nextOffset: number;
  closed: boolean;
}

/** A value of a stream, with its offset. */
interface StreamEntry<T> {
  offset: number;
  value: T;
}

/** Called with each place that may be the end of a stream. The last one is. */
type OnEnd = (end: { nextOffset: number; closed?: boolean }) => void;

/** The values of a page with their offsets. A gap may lie before the first one, but not between them. */
function toEntries<T>({ values, nextOffset }: StreamAnswer<T>): StreamEntry<T>[] {
  return values.map((value, index) => ({ offset: nextOffset - values.length + index, value }));
}

function toAnswer<T>(answer: StreamAnswer<unknown>): StreamAnswer<T> {
  return { ...answer, values: answer.values.map(decodeValue) as T[] };
}

/** The entry of an answer or a line. */
export function decodeEntry<Entry extends { value: unknown }>(entry: Entry): Entry {
  return { ...entry, value: decodeValue(entry.value) };
}

/** The workflow of an answer. */
export function decodeInfo(info: WorkflowInfo): WorkflowInfo {
  return decodeMembers(info, ["input", "output", "error", "problem"]);
}

/** An operation, message or event of an answer. */
export function decodeValues<Item extends { value?: unknown; error?: unknown }>(item: Item): Item {
  return decodeMembers(item, ["value", "error"]);
}

function decodeMembers<Item extends object>(item: Item, names: readonly (keyof Item)[]): Item {
  const values = names.filter((name) => name in item).map((name) => [name, decodeValue(item[name])]);
  return { ...item, ...Object.fromEntries(values) };
}

/** A stream or an event of a workflow. */
export interface Place {
  /** The path of the workflow. */
  readonly workflow: string;
  readonly key: string;
}

/** A stream behind the adapter. */
export class RemoteStream<T> extends EndableIterable<T, StreamEntry<T>> implements StreamReader<T> {
  readonly #transport: ClientTransport;
  readonly #place: Place & { kind: "stream" };
  readonly #path: string;
  readonly #from: number;
  readonly #wait: boolean;

  constructor(transport: ClientTransport, place: Place, { from = 0, wait = true, signal }: ReadStreamOptions) {
    super(signal);
    checkWholeNumber(from, "offset", 0);
    this.#transport = transport;
    this.#place = { ...place, kind: "stream" };
    this.#path = pathOf(this.#place);
    this.#from = from;
    this.#wait = wait;
  }

  async collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }> {
    const values: T[] = [];
    let end: Parameters<OnEnd>[0] = { nextOffset: this.#from };
    for await (const { value } of this.iterate((signal) => this.#entries(signal, (it) => end = it))) values.push(value);
    return { values, closed: this.#wait || end.closed === true, nextOffset: end.nextOffset };
  }

  async *#pages(signal: AbortSignal, onEnd: OnEnd): AsyncGenerator<StreamEntry<T>, void, undefined> {
    for (let from = this.#from;;) {
      const page = await this.#page(from, signal);
      yield* toEntries(page);
      from = page.nextOffset;
      onEnd(page);
      if (page.closed || page.values.length === 0) return;
    }
  }

  #page(from: number, signal: AbortSignal): Promise<StreamAnswer<T>> {
    const path = `${this.#path}?from=${from}`;
    return this.#transport.call<StreamAnswer<T>>({ operation: "readStream", path, signal, read: toAnswer });
  }

  #source(from: number, onEnd: OnEnd): Source<StreamEntry<T>> {
    const operation = "readStream";
    const path = (last?: { offset: number }) => `${this.#path}?from=${last === undefined ? from : last.offset + 1}`;
    return {
      operation,
      path,
      poll: async (last, waitMs, signal) => {
        const page = await this.#transport.once<StreamAnswer<T>>({
          operation,
          path: `${path(last)}&wait=${Math.ceil(waitMs)}ms`,
          waitMs,
          signal,
          read: toAnswer,
        });
        onEnd(page);
        return { entries: toEntries(page), ended: page.closed };
      },
      onEnd,
    };
  }

  protected read(signal: AbortSignal): AsyncGenerator<StreamEntry<T>, void, undefined> {
    return this.#entries(signal, () => {});
  }

  #entries(signal: AbortSignal, onEnd: OnEnd): AsyncGenerator<StreamEntry<T>, void, undefined> {
    if (!this.#wait) return this.#pages(signal, onEnd);
    return shared<StreamEntry<T>>(this.#transport, {
      ...this.#place,
      position: this.#from,
      after: ({ offset }) => offset + 1,
      alone: (from) => resumed(this.#transport, this.#source(from, onEnd), signal),
      onEnd,
    }, signal);
  }
}

/** An event behind the adapter. */
export class RemoteEvent<T> extends EndableIterable<T, EventEntry<T>> implements EventReader<T> {
  readonly #transport: ClientTransport;
  readonly #place: Place & { kind: "event" };
  readonly #path: string;
  readonly #after: number;

  constructor(transport: ClientTransport, place: Place, { after = 0, signal }: WatchEventOptions) {
    super(signal);
    checkWholeNumber(after, "version", 0);
    this.#transport = transport;
    this.#place = { ...place, kind: "event" };
    this.#path = pathOf(this.#place);
    this.#after = after;
  }

  protected read(signal: AbortSignal): AsyncGenerator<EventEntry<T>, void, undefined> {
    return shared<EventEntry<T>>(this.#transport, {
      ...this.#place,
      position: this.#after,
      after: ({ version }) => version,
      alone: (after) => resumed<EventEntry<T>>(this.#transport, this.#source(after), signal),
    }, signal);
  }

  #source(after: number): Source<EventEntry<T>> {
    const operation = "watchEvent";
    const path = (last?: EventEntry<T>) => `${this.#path}?after=${last?.version ?? after}`;
    const poll = async (last: EventEntry<T> | undefined, waitMs: number, signal: AbortSignal) => {
      const request = {
        operation,
        path: `${path(last)}&wait=${Math.ceil(waitMs)}ms`,
        waitMs,
        signal,
        read: decodeEntry,
      };
      try {
        return { entries: [await this.#transport.once<EventEntry<T>>(request)], ended: false };
      } catch (error) {
        if (error instanceof TimeoutError) return { entries: [], ended: false };
        if (error instanceof WorkflowEndedError) return { entries: [], ended: true };
        throw error;
      }
    };
    return { operation, path, poll };
  }
}
