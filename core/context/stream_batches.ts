/**
 * Collects the values that a step writes one by one, such as the tokens of a language model, so that
 * they travel in a few requests.
 *
 * @module
 */

import { type Clock, nextTask } from "../time/clock.ts";

/** How many values, and how many characters of encoded values, wait before a write has to wait. */
const MAX_VALUES = 1_000;
const MAX_CHARACTERS = 2 ** 20;
/**
 * While values keep coming, the pause between two batches grows by this factor, up to this many
 * times the first pause. So an answer of 5 s takes about 25 requests instead of 50, and its first
 * words still appear at once.
 */
const GROWTH = 1.1;
const MAX_GROWTH = 3;
/** After this silence, the pause is as short as at first. */
const SILENCE_MS = 1_000;

/** Where batches go. */
export interface StreamBatchesOptions {
  readonly clock: Clock;
  /** The first pause between two batches. */
  readonly flushMs: number;
  /** Encodes a value at once. The function that it returns may have to wait for a schema. */
  readonly take: (value: unknown) => () => string | Promise<string>;
  /** Throws if nothing may be written any more. */
  readonly check: () => void;
  /** Writes encoded values together. */
  readonly send: (texts: string[]) => Promise<void>;
}

/** The values of one `WritableStream` on their way to the store. One batch is under way at a time. */
export class StreamBatches {
  readonly #options: StreamBatchesOptions;
  /** The values whose writes the stream has not passed on yet, in their order. */
  readonly #taken: (() => string | Promise<string>)[] = [];
  #texts: string[] = [];
  #characters = 0;
  #pauseMs: number;
  #sentAt = -Infinity;
  #stopTimer: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #controller: WritableStreamDefaultController | undefined;

  /**
   * @param options The pause, and where the batches go.
   */
  constructor(options: StreamBatchesOptions) {
    this.#options = options;
    this.#pauseMs = options.flushMs;
  }

  /** Returns the stream. Call it once. */
  writable<T>(): WritableStream<T> {
    const sink: UnderlyingSink<T> = {
      start: (controller) => void (this.#controller = controller),
      write: () => this.#write(),
      close: () => this.flush(),
      abort: () => this.flush(),
    };
    // The size is the only thing that a stream asks for within the call of a write.
    const size = (value: T) => {
      this.#taken.push(this.#options.take(value));
      return 1;
    };
    return new WritableStream<T>(sink, { highWaterMark: 1, size });
  }

  /** Sends what waits, and resolves when all of it is stored. */
  async flush(): Promise<void> {
    while (!this.#failure && (this.#sending || this.#texts.length > 0)) await (this.#sending ?? this.#send());
    this.#check();
  }

  /** Drops what waits. Later writes reject with the error. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#texts = [];
    this.#stopTimer?.();
    this.#controller?.error(error);
  }

  async #write(): Promise<void> {
    this.#check();
    this.#options.check();
    const text = await this.#taken.shift()!();
    this.#texts.push(text);
    this.#characters += text.length;
    while (this.#isFull && !this.#failure) await (this.#sending ?? this.#send());
    this.#check();
    this.#sendLater();
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  get #isFull(): boolean {
    return this.#texts.length >= MAX_VALUES || this.#characters >= MAX_CHARACTERS;
  }

  #sendLater(): void {
    if (this.#sending || this.#stopTimer || this.#texts.length === 0 || this.#failure) return;
    // The clock may have gone back.
    const restMs = Math.min(this.#pauseMs, this.#sentAt + this.#pauseMs - this.#options.clock.now());
    if (restMs <= 0) return void this.#send();
    this.#stopTimer = this.#options.clock.after(restMs, () => void this.#send());
  }

  /** Sends one batch. The promise does not reject. */
  #send(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    return this.#sending ??= this.#sendBatch().catch((error) => this.fail(error)).finally(() => {
      this.#sending = undefined;
      this.#sendLater();
    });
  }

  async #sendBatch(): Promise<void> {
    // Values that are written together go into one batch, even the first ones.
    await nextTask();
    const now = this.#options.clock.now();
    const { flushMs } = this.#options;
    const isFirst = now - this.#sentAt > Math.max(SILENCE_MS, this.#pauseMs * MAX_GROWTH);
    this.#pauseMs = isFirst ? flushMs : Math.min(this.#pauseMs * GROWTH, flushMs * MAX_GROWTH);
    this.#sentAt = now;
    const texts = this.#texts;
    this.#texts = [];
    this.#characters = 0;
    if (texts.length > 0) await this.#options.send(texts);
  }
}
