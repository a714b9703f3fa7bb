/**
 * Clocks, and the one place that reads the time and starts timers.
 *
 * @module
 */

/**
 * A source of time and timers. A test passes one that it moves by hand.
 *
 * @category Time and stores
 */
export interface Clock {
  /**
   * Returns the time in epoch milliseconds. It decides nothing durable, because the store's clock
   * times leases and deadlines.
   */
  now(): number;
  /**
   * Calls `run` once after `ms` milliseconds. The returned function cancels the timer.
   *
   * With `background: true`, the timer does not keep the process alive, if the runtime supports
   * that.
   */
  after(ms: number, run: () => void, options?: { background?: boolean }): () => void;
}

/** A longer timer would fire at once, because every runtime keeps the time in 32 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The runtime's clock. It measures waits, so it does not jump when the wall clock is set. */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  after(ms, run, { background = false } = {}) {
    if (ms > MAX_TIMER_MS) {
      let stop = systemClock.after(MAX_TIMER_MS, () => {
        stop = systemClock.after(ms - MAX_TIMER_MS, run, { background });
      }, { background });
      return () => stop();
    }
    const timer = setTimeout(run, Math.max(ms, 0));
    if (background) release(timer);
    return () => clearTimeout(timer);
  },
};

/**
 * Lets a process end while the timer is armed. Node and Bun have a method for this, Deno has a
 * function, browsers and workerd have neither.
 */
function release(timer: unknown): void {
  if (typeof timer === "object") return (timer as { unref?: () => void }).unref?.();
  (globalThis as { Deno?: { unrefTimer?: (id: unknown) => void } }).Deno?.unrefTimer?.(timer);
}

/**
 * The wall clock, which may jump. Compare it with times from other machines, such as the time at
 * which a webhook was signed. While a machine sleeps, {@linkcode systemClock} falls behind the wall
 * clock.
 */
export const wallClock: Pick<Clock, "now"> = { now: () => Date.now() };

/**
 * Resolves after `ms` milliseconds, or at once if the signal aborts. If `ms` is `Infinity`, only the
 * signal ends the delay. The promise never rejects. Neither a timer nor a listener stays behind.
 */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      stop();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const stop = ms < Infinity ? clock.after(ms, done) : () => {};
    signal?.addEventListener("abort", done);
  });
}

/**
 * An estimate of the store's time. It adds the time that has since passed on the local clock to the
 * time that the store last reported. It never goes back.
 */
export class StoreTime {
  readonly #clock: Clock;
  #time: number;
  /** The local clock's time when `#time` was right. */
  #at: number;

  constructor(clock: Clock, now: number) {
    this.#clock = clock;
    this.#time = now;
    this.#at = clock.now();
  }

  /** Takes the time that the store has reported, in epoch milliseconds. */
  set(now: number): void {
    this.#time = Math.max(now, this.now());
  }

  /** Returns the store's time in whole epoch milliseconds. */
  now(): number {
    const at = this.#clock.now();
    this.#time += Math.max(0, at - this.#at);
    this.#at = at;
    return Math.floor(this.#time);
  }
}

/**
 * `setImmediate`, if the runtime has it. Deno, Node and Bun do, but the web's types do not declare
 * it. A turn takes 1.6 µs in Deno 2.9.
 */
const immediate = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate;

/**
 * Resolves in a later task, after all pending microtasks have run.
 *
 * A timer is the last choice. A timer of 0 ms takes 2 ms in Deno, and a replay waits once per
 * operation. A message channel takes 26 µs. Each channel is closed after one turn, because an open
 * channel keeps the process alive.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate) return void immediate(resolve);
    if (typeof MessageChannel === "undefined") return void setTimeout(resolve, 0);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}
