/**
 * What tests of push look at: watches, connections, warnings.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/clock.ts";
import type { WatchTarget } from "../../core/driver.ts";
import type { Opened, Setting } from "./neon_setting.ts";
import { quoted } from "./postgres_store.ts";

const PATIENCE_MS = 5_000;

/** Waits for what has to come true soon. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !await condition(); await delay(systemClock, 2)) {
    assert(performance.now() - began < PATIENCE_MS, `it did not come true: ${condition}`);
  }
}

/** Watches, and counts hints. */
export class Watching implements Disposable {
  readonly watch;
  hints = 0;

  constructor({ driver }: Opened, target: WatchTarget) {
    this.watch = driver.watch(target, () => this.hints += 1);
  }

  static async live(opened: Opened, target: WatchTarget): Promise<Watching> {
    const watching = new Watching(opened, target);
    await until(() => watching.watch.live);
    return watching;
  }

  [Symbol.dispose](): void {
    this.watch.close();
  }
}

/** How many connections are known to listen. */
export async function listeners({ query, schema }: Setting): Promise<number> {
  const { rows } = await query(`select id from ${quoted(schema)}.listeners`);
  return rows.length;
}

/** What was printed as a warning meanwhile. */
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
