/**
 * Helpers for tests of connections: conditions, watches, warnings, timers.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Clock, delay, systemClock } from "../../core/time/clock.ts";
import type { Driver, Watch, WatchTarget } from "../../core/driver/driver.ts";

const PATIENCE_MS = 5_000;

/** Waits until a condition is true, for a few seconds at most. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !await condition(); await delay(systemClock, 2)) {
    assert(performance.now() - began < PATIENCE_MS, `the condition did not come true: ${condition}`);
  }
}

/**
 * Makes a call with a hint for the inbox of `w` and a bare one, 100 times in turn. Prints how long each
 * takes until the hint is heard, and checks that the first is not much slower.
 *
 * @param calls The calls by the names under which they are printed. The second one is bare.
 */
export async function compareWakes(
  driver: Required<Pick<Driver, "watch">>,
  calls: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<void> {
  let heard = () => {};
  const watch = driver.watch("inbox:w", () => heard());
  await until(() => watch.live);
  const times = Object.keys(calls).map((): number[] => []);
  for (let n = 0; n < 100; n++) {
    for (const [index, call] of Object.values(calls).entries()) {
      const began = performance.now();
      const woken = new Promise<void>((resolve) => heard = resolve);
      await Promise.all([call(), woken.then(() => times[index]!.push(performance.now() - began))]);
    }
  }
  watch.close();
  const [hint, bare] = times.map((list) => list.toSorted((a, b) => a - b)[list.length >> 1]!) as [number, number];
  const [nameOfHint, nameOfBare] = Object.keys(calls);
  console.log(`until heard: ${nameOfHint} ${hint.toFixed(2)} ms, ${nameOfBare} ${bare.toFixed(2)} ms`);
  assert(hint < bare + 20);
}

/** A driver, or the push of one. */
interface Watched {
  readonly push: Required<Pick<Driver, "watch">>;
  readonly driver?: Required<Pick<Driver, "watch">>;
}

/** Watches, and counts hints. */
export class Watching implements Disposable {
  readonly watch: Watch;
  hints = 0;

  constructor({ push, driver = push }: Watched, target: WatchTarget) {
    this.watch = driver.watch(target, () => this.hints += 1);
  }

  static async live(watched: Watched, target: WatchTarget): Promise<Watching> {
    const watching = new Watching(watched, target);
    await until(() => watching.watch.live);
    return watching;
  }

  [Symbol.dispose](): void {
    this.watch.close();
  }
}

/** The warnings that a function prints. */
export async function warnings(run: () => void | Promise<void>): Promise<string[]> {
  const said: string[] = [];
  const { warn } = console;
  console.warn = (...args) => void said.push(args.join(" "));
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return said;
}

/** The runtime's clock, with its timers counted. */
export class CountingClock implements Clock {
  /** How many timers are set. */
  pending = 0;

  now(): number {
    return systemClock.now();
  }

  after(ms: number, run: () => void): () => void {
    let armed = true;
    this.pending += 1;
    const disarm = () => {
      this.pending -= armed ? 1 : 0;
      armed = false;
    };
    const stop = systemClock.after(ms, () => (disarm(), run()));
    return () => (stop(), disarm());
  }
}
