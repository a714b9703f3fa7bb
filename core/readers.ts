/**
 * The readers of events and streams, from outside: their options, and what they return.
 *
 * @module
 */

/**
 * A value of an event, with its version.
 *
 * @category Events
 */
export interface EventEntry<out T> {
  /** The version of the value. It starts at 1 and rises by one with each value. */
  version: number;
  /** The value. */
  value: T;
}

/**
 * Options of `Client.watchEvent`.
 *
 * @category Events
 */
export interface WatchEventOptions {
  /** The last version that the caller has seen. Only later ones are yielded. Default 0. */
  after?: number;
  /** Ends the watch early. The iteration then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Watches an event. It yields values; `entries()` also yields their versions. Each iteration starts
 * at `after` again.
 *
 * @category Events
 */
export interface EventReader<out T> extends AsyncIterable<T> {
  /** The values with their versions. */
  entries(): AsyncIterable<EventEntry<T>>;
}

/**
 * Options of `Client.readStream`.
 *
 * @category Streams
 */
export interface ReadStreamOptions {
  /** The first offset to read, 0 or more. Default 0. */
  from?: number;
  /**
   * Whether to read until the stream is closed or its workflow has ended. Default `true`. With
   * `false`, reading ends after the values that are there now.
   */
  wait?: boolean;
  /** Ends the reading early. The iteration then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Options of `Parley.readStreamPages`.
 *
 * @category Streams
 */
export interface ReadStreamPagesOptions extends Omit<ReadStreamOptions, "from"> {
  /** The first offset to read, 0 or more. `"end"` reads only later values. Default 0. */
  from?: number | "end";
  /** The largest number of values on a page, 1 to 1,000. Default 1,000. */
  limit?: number;
}

/**
 * A page of a stream.
 *
 * @category Streams
 */
export interface StreamPage<out T> {
  /** The offset of the first value. If there is none, the offset of the next value to come. */
  from: number;
  /** The values. */
  values: T[];
  /** The offset at which to read on. */
  nextOffset: number;
  /** Whether the page reaches the end that the stream had at that moment. */
  atEnd: boolean;
  /**
   * Whether no more values will come, because the stream was closed or its workflow has ended. It
   * can be `true` only if `atEnd` is.
   */
  closed: boolean;
}

/**
 * Reads a stream. It yields values; `entries()` also yields their offsets. Each iteration starts at
 * `from` again.
 *
 * @category Streams
 */
export interface StreamReader<out T> extends AsyncIterable<T> {
  /** The values with their offsets. */
  entries(): AsyncIterable<{ offset: number; value: T }>;
  /**
   * Reads until the end, and returns all values. `closed`: no more values will come. `nextOffset`:
   * the offset at which to read on.
   */
  collect(): Promise<{ values: T[]; closed: boolean; nextOffset: number }>;
  /** Returns the values as a `ReadableStream`, which does not read ahead of its reader. */
  toReadableStream(): ReadableStream<T>;
}
