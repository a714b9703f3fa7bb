/**
 * One stream or event of a connection that carries several.
 *
 * @module
 */

import type { EventEntry, StreamPage } from "../../core/readers.ts";
import { TimeoutError, WorkflowEndedError } from "../../core/errors.ts";
import type { ServedClient } from "../served_client.ts";
import { entryChunk, type Gathered } from "./pieces.ts";
import { type LivePages, readPages } from "./stream_pages.ts";

/** What is read, and until when. */
export interface Followable {
  readonly parley: ServedClient;
  readonly workflowId: string;
  readonly key: string;
  /** The first offset of a stream, or the last version of an event that the client has seen. */
  readonly position: number;
  /** Ends the reading. */
  readonly stop: AbortController;
}

/** How what is read becomes text. */
export interface FollowedFrames {
  /** A value of a stream, at an offset. */
  readonly streamValue: (key: string, offset: number, value: unknown) => string;
  /** The end of a stream. */
  readonly streamEnd: (key: string, nextOffset: number) => string;
  /** A value of an event, of a version. */
  readonly eventValue: (key: string, version: number, value: unknown) => string;
}

/** A stream or an event that is read as long as it continues. */
export interface Followed {
  /** The position after all that was taken: the next offset of a stream, the last version of an event. */
  readonly position: number;
  /**
   * Looks whether the position can be read.
   *
   * @throws {WorkflowNotFoundError} If it is that of a stream, and there is no such workflow.
   * @throws {OffsetOutOfRangeError | VersionOutOfRangeError} If the position is ahead.
   */
  check(): Promise<void>;
  /** Waits until there is something to take. Returns whether there is; if not, it has ended. */
  load(): Promise<boolean>;
  /** Takes what is loaded, or its first part. Returns whether some of it is left. */
  take(gathered: Gathered, frames: FollowedFrames): boolean;
  /** Drops what is loaded. It is read again when it is loaded again. */
  drop(): void;
  /** Ends the reading. */
  close(): void;
}

/** A stream. */
export class FollowedStream implements Followed {
  readonly #key: string;
  readonly #pages: AsyncIterator<StreamPage<unknown>>;
  readonly #letGo: LivePages["letGo"];
  /** The page that was read and not yet taken as a whole. */
  #page: StreamPage<unknown> | undefined;
  #position: number;

  constructor(request: Followable) {
    const { pages, letGo } = readPages(request, { from: request.position }, request.stop);
    this.#key = request.key;
    this.#pages = pages[Symbol.asyncIterator]();
    this.#letGo = letGo;
    this.#position = request.position;
  }

  get position(): number {
    return this.#position;
  }

  async check(): Promise<void> {
    await this.load();
  }

  async load(): Promise<boolean> {
    if (this.#page) return true;
    const { done, value } = await this.#pages.next();
    this.#page = done ? undefined : value;
    return !done;
  }

  take(gathered: Gathered, { streamValue, streamEnd }: FollowedFrames): boolean {
    const page = this.#page;
    if (!page) return false;
    gathered.fill(page, (offset, value) => {
      this.#position = offset + 1;
      return streamValue(this.#key, offset, value);
    });
    if (page.values.length > 0) return true;
    this.#page = undefined;
    if (page.closed) gathered.add(streamEnd(this.#key, page.nextOffset));
    return false;
  }

  drop(): void {
    this.#letGo();
  }

  close(): void {
    this.#pages.return?.().catch(() => {});
  }
}

/** An event. */
export class FollowedEvent implements Followed {
  readonly #request: Followable;
  #entries: AsyncIterator<EventEntry<unknown>>;
  #entry: EventEntry<unknown> | undefined;
  #position: number;

  constructor(request: Followable) {
    this.#request = request;
    this.#position = request.position;
    this.#entries = this.#watch();
  }

  get position(): number {
    return this.#position;
  }

  async check(): Promise<void> {
    // Every event can be watched from its first version on.
    if (this.#position > 0) await this.hasEnded();
  }

  /** Whether the workflow has ended, and there is no version after the position. */
  async hasEnded(): Promise<boolean> {
    const { parley, workflowId, key } = this.#request;
    try {
      await parley.getEventEntry(workflowId, key, { after: this.#position, timeout: 0 });
      return false;
    } catch (error) {
      if (error instanceof WorkflowEndedError) return true;
      if (error instanceof TimeoutError) return false;
      throw error;
    }
  }

  async load(): Promise<boolean> {
    if (this.#entry) return true;
    const { done, value } = await this.#entries.next();
    this.#entry = done ? undefined : value;
    return !done;
  }

  take(gathered: Gathered, { eventValue }: FollowedFrames): boolean {
    const entry = this.#entry;
    if (!entry) return false;
    this.#entry = undefined;
    this.#position = entry.version;
    const [text = ""] = entryChunk(entry, ({ version, value }) => eventValue(this.#key, version, value));
    gathered.add(text);
    return false;
  }

  drop(): void {
    if (!this.#entry) return;
    this.#entry = undefined;
    this.close();
    this.#entries = this.#watch();
  }

  close(): void {
    this.#entries.return?.().catch(() => {});
  }

  get #key(): string {
    return this.#request.key;
  }

  #watch(): AsyncIterator<EventEntry<unknown>> {
    const { parley, workflowId, key, stop } = this.#request;
    const reader = parley.watchEvent(workflowId, key, { after: this.#position, signal: stop.signal });
    return reader.entries()[Symbol.asyncIterator]();
  }
}
