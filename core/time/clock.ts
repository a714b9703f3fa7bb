/**
 * The only file that reads the time or starts a timer.
 *
 * @module
 */

/**
 * Where the time comes from. Tests move it by hand.
 *
 * @category Time and stores
 */
export interface Clock {
  /** Epoch milliseconds. It decides nothing durable: leases and deadlines are timed by the store. */
  now(): number;
  /**
   * Calls `run` once after `ms` milliseconds, unless the returned function is called before. The timer of `background: true` keeps no process alive
   * that has nothing else to do, where the runtime knows such timers.
   */
  after(ms: number, run: () => void, options?: { background?: boolean }): () => void;
}

/** A longer timer would fire at once: the field is 32 bits wide in every runtime. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The runtime's own clock. It does not jump when the wall clock is set, since it also measures how long waits last. */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  after(ms, run, { background = false } = {}) {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (left: number) => {
      timer = left > MAX_TIMER_MS ? setTimeout(arm, MAX_TIMER_MS, left - MAX_TIMER_MS) : setTimeout(run, left);
      if (background) release(timer);
    };
    arm(Math.max(ms, 0));
    return () => clearTimeout(timer);
  },
};

/** Lets a process end while the timer is armed. Found, not imported: Node and Bun have a method, Deno a function, browsers and workerd neither. */
function release(timer: unknown): void {
  if (typeof timer === "object") return (timer as { unref?: () => void }).unref?.();
  (globalThis as { Deno?: { unrefTimer?: (id: unknown) => void } }).Deno?.unrefTimer?.(timer);
}

/** The wall clock, jumps and all: to compare with what others wrote by theirs, such as when a webhook was signed. {@linkcode systemClock} falls behind it while a machine sleeps. */
export const wallClock: Pick<Clock, "now"> = { now: () => Date.now() };

/** Settles after `ms` milliseconds (`Infinity`: never by itself), or at once when the signal aborts. It never rejects and leaves neither timer nor listener. */
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

/** What time it is in the store: what it said last, and what has passed since by the clock at hand. It never goes back. */
export class StoreTime {
  readonly #clock: Clock;
  #time: number;
  /** When `#time` was right, by the clock at hand. */
  #at: number;

  constructor(clock: Clock, now: number) {
    this.#clock = clock;
    this.#time = now;
    this.#at = clock.now();
  }

  /** The store has said what time it is, in epoch milliseconds. */
  set(now: number): void {
    this.#time = Math.max(now, this.now());
  }

  /** Whole epoch milliseconds. */
  now(): number {
    const at = this.#clock.now();
    this.#time += Math.max(0, at - this.#at);
    this.#at = at;
    return Math.floor(this.#time);
  }
}

/** Not in every runtime, and not in the web's types. Deno, Node and Bun have it: 1.6 µs a turn in Deno 2.9. */
const immediate = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate;

/**
 * Settles in a later task, when every microtask that was due has run. A timer would do, but 0 ms take 2 ms in Deno and a replay waits
 * once an operation. The message channel (26 µs) lives for one turn, since an open one keeps a process alive.
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
