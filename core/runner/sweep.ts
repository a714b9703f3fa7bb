/**
 * Claims due workflows, the earliest due first, and runs them. A sweep ends when no workflow is
 * due. A worker continues until its signal aborts, the runner closes or no requests are left.
 *
 * @module
 */

import { type Claims, NOTHING_TAKEN, repeatMs } from "./claims.ts";
import { delay } from "../time/clock.ts";
import type { ClaimedRun } from "../run/host.ts";
import type { RunEnd } from "../observer.ts";
import type { RunnerHost } from "./host.ts";
import { Slots } from "./slots.ts";
import { Waiter } from "../time/waiter.ts";
import { SIDE_BY_SIDE } from "./wakes.ts";

/**
 * How often a sweep repeats a claim that took nothing because other calls had locked the due
 * workflows.
 */
const MAX_REPEATS = 10;
/**
 * The longest time between two looks of a worker. A workflow that is suspended for less than ten
 * seconds gives a hint. A look finds a workflow with a later deadline before that deadline.
 */
const MAX_LOOK_MS = 9_500;

/**
 * How long a claim waits for more free slots while more workflows are due. A claim of many costs
 * little more than a claim of one. Once a quarter of the slots are free, the claim does not wait.
 */
const MAX_GATHER_MS = 20;

/** Runs claimed workflows side by side. Pokes the waiter when a run ends or a slot becomes free. */
class Running {
  readonly slots: Slots;
  readonly #host: RunnerHost;
  readonly #limit: number;
  readonly #waiter: Waiter;
  readonly #runs = new Set<Promise<void>>();

  constructor(host: RunnerHost, limit: number, waiter: Waiter) {
    this.#host = host;
    this.#limit = limit;
    this.#waiter = waiter;
    this.slots = new Slots(limit, () => waiter.poke());
  }

  get size(): number {
    return this.#runs.size;
  }

  add(claimed: ClaimedRun, onEnd: (end: RunEnd) => void = () => {}): void {
    const run: Promise<void> = this.#host.run(claimed, this.slots.take()).then((end) => {
      this.#runs.delete(run);
      onEnd(end);
      this.#waiter.poke();
    });
    this.#runs.add(run);
  }

  /** Waits a moment for slots to become free. */
  async gather(signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#host;
    const until = clock.now() + MAX_GATHER_MS;
    for (let leftMs = MAX_GATHER_MS; leftMs > 0 && !signal?.aborted; leftMs = until - clock.now()) {
      if (this.slots.free >= this.#limit / 4 || this.#host.over) return;
      await this.#waiter.next({ poll: false, limitMs: leftMs, signal });
    }
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
  const running = new Running(host, SIDE_BY_SIDE, waiter);
  const onEnd = (end: RunEnd) => (look = true, void ends.push(end));
  try {
    for (let repeats = 0; ends.length + running.size < limit && !signal?.aborted && !host.over;) {
      if (look) await running.gather(signal);
      const isOver = signal?.aborted || host.over;
      const room = Math.min(limit - ends.length - running.size, running.slots.free);
      if (look && room > 0 && !isOver) {
        look = false;
        const { claimed, more, full, now } = await claims.byDueTime(room);
        for (const run of claimed) running.add(run, onEnd);
        const started = now !== null && (await host.schedules.start(now)).started;
        const isLocked = more && claimed.length === 0 && repeats < MAX_REPEATS;
        look ||= started || full || isLocked || (more && claimed.length > 0);
        repeats = claimed.length > 0 ? 0 : repeats + 1;
        if (isLocked && !started) await delay(host.clock, repeatMs(repeats), signal);
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
  const running = new Running(host, concurrency, waiter);
  const outlive = (error: unknown) => (host.report(error), NOTHING_TAKEN);
  let occurrenceMs = Infinity;
  for (let repeats = 0; !signal.aborted && !host.over;) {
    const room = running.slots.free;
    const taken = room > 0 ? await claims.byDueTime(room).catch(outlive) : NOTHING_TAKEN;
    const { claimed, nextDueMs, more, full, now } = taken;
    for (const run of claimed) running.add(run);
    if (now !== null) {
      const { started, nextMs } = await host.schedules.start(now).catch((error) => {
        host.report(error);
        return { started: false, nextMs: MAX_LOOK_MS };
      });
      occurrenceMs = nextMs;
      if (started) continue;
    }
    repeats = more && claimed.length === 0 ? repeats + 1 : 0;
    if (claimed.length > 0) waiter.reset();
    if (full || (more && claimed.length > 0)) {
      await running.gather(signal);
      continue;
    }
    // A run may make a workflow due sooner than the claim has said. A hint then ends the wait.
    const limitMs = room === 0
      ? Infinity
      : more
      ? repeatMs(repeats)
      : Math.min(nextDueMs ?? Infinity, occurrenceMs, MAX_LOOK_MS);
    await waiter.next({ signal, poll: room > 0, limitMs });
    if (room === 0) await running.gather(signal);
  }
  waiter.close();
  await running.settled();
}
