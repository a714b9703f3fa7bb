/**
 * What is read an entry after the other, from a store or over HTTP.
 *
 * @module
 */

/** EndableIterable as values, or with their places. Each iteration begins anew. */
export abstract class EndableIterable<T, Entry extends { readonly value: T }> implements AsyncIterable<T> {
  readonly #signal: AbortSignal | undefined;

  /**
   * Makes it.
   *
   * @param signal Ends each iteration: it rejects with the signal's reason.
   */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Reads until the end, or until the signal aborts. */
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

  /** Iterates over whatever is generated, with the caller's signal. */
  protected iterate<R>(
    generate: (signal: AbortSignal) => AsyncGenerator<R, void, undefined>,
  ): AsyncIterableIterator<R> {
    return endable(generate, this.#signal);
  }
}

async function* valuesOf<T>(entries: AsyncIterable<{ readonly value: T }>): AsyncGenerator<T, void, undefined> {
  for await (const { value } of entries) yield value;
}

/** Iterators that somebody waits for, though perhaps holding only the promise: they are no garbage. */
const waited = new Set<unknown>();

/** Ends what was never read to its end and is garbage, so that it leaves no subscription. Not every version of workerd has it. */
const abandoned = typeof FinalizationRegistry === "undefined"
  ? undefined
  : new FinalizationRegistry<AbortController>((ending) => ending.abort());

/**
 * An iterator whose `return()` also ends a `next()` that waits. A generator alone would put it behind that: a browser that goes away while
 * nothing is written would be waited for until the workflow ends.
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
        // Only while somebody waits, so that an iterator that was dropped leaves no listener.
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

/** Calls `stop` once: when the signal aborts, or when the returned function is called. */
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
