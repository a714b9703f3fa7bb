/**
 * Iteration over events and streams, from a store or over HTTP.
 *
 * @module
 */

/**
 * Entries that can be read as values, or with their versions or offsets. Each iteration starts from
 * the beginning. An iterator's `return()` ends a `next()` that is waiting.
 */
export abstract class EndableIterable<T, Entry extends { readonly value: T }> implements AsyncIterable<T> {
  readonly #signal: AbortSignal | undefined;

  /**
   * Creates the iterable.
   *
   * @param signal Ends each iteration, which rejects with the signal's reason.
   */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Reads entries until the end, or until the signal aborts. */
  protected abstract read(signal: AbortSignal): AsyncGenerator<Entry, void, undefined>;

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this.iterate((signal) => valuesOf(this.read(signal)));
  }

  entries(): AsyncIterableIterator<Entry> {
    return this.iterate((signal) => this.read(signal));
  }

  toReadableStream(): ReadableStream<T> {
    const iterator = this[Symbol.asyncIterator]();
    return new ReadableStream<T>({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    }, { highWaterMark: 0 });
  }

  /** Iterates over a generator, which ends when the caller's signal aborts. */
  protected iterate<R>(
    generate: (signal: AbortSignal) => AsyncGenerator<R, void, undefined>,
  ): AsyncIterableIterator<R> {
    return endable(generate, this.#signal);
  }
}

async function* valuesOf<T>(entries: AsyncIterable<{ readonly value: T }>): AsyncGenerator<T, void, undefined> {
  for await (const { value } of entries) yield value;
}

/**
 * The iterators that have a pending `next()`. This set keeps them alive, because the caller may hold
 * only the promise of `next()`.
 */
const waited = new Set<unknown>();

/**
 * Ends an iterator that was dropped before its end, so that it leaves no subscription. Some
 * versions of workerd have no `FinalizationRegistry`.
 */
const abandoned = typeof FinalizationRegistry === "undefined"
  ? undefined
  : new FinalizationRegistry<AbortController>((ending) => ending.abort());

/**
 * Creates an iterator whose `return()` ends a `next()` that is waiting.
 *
 * A plain generator queues `return()` behind the waiting `next()`. If a browser disconnected while
 * nothing was written, its reader would then stay until the workflow ended.
 */
function endable<T>(
  generate: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<T> {
  const ending = new AbortController();
  const generator = generate(ending.signal);
  const onAbort = () => ending.abort(signal?.reason);
  let waiting = 0;
  let returned = false;
  const iterator: AsyncIterableIterator<T> = {
    async next() {
      if (signal?.aborted) onAbort();
      if (waiting++ === 0) {
        signal?.addEventListener("abort", onAbort);
        waited.add(this);
      }
      try {
        return await generator.next();
      } catch (error) {
        if (returned) return { done: true, value: undefined };
        throw error;
      } finally {
        // The listener stays only during a `next()`, so that a dropped iterator leaves none.
        if (--waiting === 0) {
          signal?.removeEventListener("abort", onAbort);
          waited.delete(this);
        }
      }
    },
    async return() {
      returned = true;
      ending.abort();
      return await generator.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  abandoned?.register(iterator, ending);
  return iterator;
}

/** Calls `stop` once, when the signal aborts or when the returned function is called. */
export function onAbort(signal: AbortSignal, stop: () => void): () => void {
  let stopped = false;
  const stopOnce = () => {
    signal.removeEventListener("abort", stopOnce);
    if (!stopped) stop();
    stopped = true;
  };
  signal.addEventListener("abort", stopOnce);
  return stopOnce;
}
