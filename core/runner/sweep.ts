/**
 * Claims due workflows, the oldest first, and runs them. A sweep ends when no workflow is due. A
 * worker continues until its signal aborts, the runner closes or no requests are left.
 *
 * @module
 */

import { type Claims, repeatMs, type Taken } from "./claims.ts";
import { delay } from "../time/clock.ts";
import type { ClaimedRun, RunEnd } from "../run/host.ts";
import type { RunnerHost } from "./host.ts";
import { Slots } from "./slots.ts";
import { Waiter } from "../time/wait.ts";
import { SIDE_BY_SIDE } from "./wakes.ts";

/** How often a sweep repeats a claim that met only workflows held by other calls. */
const MAX_REPEATS = 10;
/**
 * The longest time between two looks of a worker. A workflow that is suspended for less than ten
 * seconds gives a hint. A look finds any other in time.
 */
const MAX_LOOK_MS = 9_500;

const NOTHING: Taken = { claimed: [], nextDueMs: null, more: false, full: false };

/** Runs claimed workflows side by side. Calls `onChange` when a run ends or a slot becomes free. */
class Running {
  readonly slots: Slots;
  readonly #host: RunnerHost;
  readonly #onChange: () => void;
  readonly #runs = new Set<Promise<void>>();

  constructor(host: RunnerHost, limit: number, onChange: () => void) {
    this.#host = host;
    this.#onChange = onChange;
    this.slots = new Slots(limit, onChange);
  }

  get size(): number {
    return this.#runs.size;
  }

  add(claimed: ClaimedRun, onEnd: (end: RunEnd) => void = () => {}): void {
    const run: Promise<void> = this.#host.run(claimed, this.slots.take()).then((end) => {
      this.#runs.delete(run);
      onEnd(end);
      this.#onChange();
    });
    this.#runs.add(run);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#runs);
  }
}

/**
 * Claims and runs due workflows until none is due, `limit` were claimed, the signal aborts, or the
 * host is over. Returns how each run ended.
 */
export async function sweep(
  host: RunnerHost,
  claims: Claims,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<RunEnd[]> {
  const ends: RunEnd[] = [];
  const waiter = new Waiter(host);
  // Runs may make more workflows due, even without inline wakes.
  let look = true;
  const hints = host.hints.add("due", () => (look = true, waiter.poke()));
  const running = new Running(host, SIDE_BY_SIDE, () => waiter.poke());
  const onEnd = (end: RunEnd) => (look = true, void ends.push(end));
  try {
    for (let repeats = 0; ends.length + running.size < limit && !signal?.aborted && !host.over;) {
      const room = Math.min(limit - ends.length - running.size, running.slots.free);
      if (look && room > 0) {
        look = false;
        const { claimed, more, full } = await claims.byDueTime(room);
        for (const run of claimed) running.add(run, onEnd);
        look ||= full || (more && repeats < MAX_REPEATS);
        repeats = claimed.length > 0 ? 0 : repeats + 1;
        if (look && claimed.length === 0) await delay(host.clock, repeatMs(repeats), signal);
      } else if (running.size === 0) break;
      else await waiter.next({ poll: false, signal });
    }
  } finally {
    hints.close();
    waiter.close();
    await running.settled();
  }
  return ends;
}

/**
 * Claims and runs due workflows until the signal aborts or the host is over. A fault of the store
 * is reported and does not end the worker.
 */
export async function work(
  host: RunnerHost,
  claims: Claims,
  waiter: Waiter,
  concurrency: number,
  signal: AbortSignal,
): Promise<void> {
  const running = new Running(host, concurrency, () => waiter.poke());
  const outlive = (error: unknown) => (host.report(error), NOTHING);
  for (let repeats = 0; !signal.aborted && !host.over;) {
    const room = running.slots.free;
    const { claimed, nextDueMs, more, full } = room > 0 ? await claims.byDueTime(room).catch(outlive) : NOTHING;
    for (const run of claimed) running.add(run);
    repeats = more && claimed.length === 0 ? repeats + 1 : 0;
    if (claimed.length > 0) waiter.reset();
    if (full || (more && claimed.length > 0)) continue;
    // A run may make a workflow due sooner than the claim has said. It then pokes the waiter.
    const limitMs = room === 0 ? Infinity : more ? repeatMs(repeats) : Math.min(nextDueMs ?? Infinity, MAX_LOOK_MS);
    await waiter.next({ signal, poll: room > 0, limitMs });
  }
  waiter.close();
  await running.settled();
}
