/**
 * Helpers of the core's tests.
 *
 * @module
 */

import { nextTask } from "../../core/time/clock.ts";
import type { CommitRequest, Driver } from "../../core/driver/driver.ts";
import { type Workflow, workflow } from "../../core/workflow.ts";
import type { ManualClock } from "../../testing/mod.ts";
import { World } from "../../conformance/workflows/world.ts";
import { memoryHarness } from "../drivers/memory/harness.ts";

/** Two isolates over one store in memory, and their clock. */
export interface Setup {
  readonly world: World;
  readonly clock: ManualClock;
  readonly driver: Driver;
}

/** Makes a fresh store. */
export async function setup(): Promise<Setup> {
  const harness = await memoryHarness();
  return { world: new World(harness), clock: harness.clock, driver: harness.drivers[0] };
}

/** Lets pending work continue without letting time pass. */
export async function settle(tasks: number = 20): Promise<void> {
  for (let task = 0; task < tasks; task++) await nextTask();
}

/** Returns a promise and a function that resolves it. */
export function gate<T = void>(): { open: (value: T) => void; opened: Promise<T> } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { open: resolve, opened: promise };
}

/** Makes a signal that counts its listeners. */
export function countedSignal(): {
  controller: AbortController;
  signal: AbortSignal;
  listeners: () => number;
  added: () => number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const listening = new Set<unknown>();
  let added = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    added++;
    listening.add(listener);
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listening.delete(listener);
    remove(type, listener);
  };
  return { controller, signal, listeners: () => listening.size, added: () => added };
}

/** Wraps a driver, so that it counts the open subscriptions of `watch`. */
export function countedWatches(
  driver: Driver,
  options: { live?: boolean } = {},
): { driver: Driver; open: () => number; targets: Set<string> } {
  let open = 0;
  const targets = new Set<string>();
  const watch: NonNullable<Driver["watch"]> = (target, hint) => {
    open++;
    targets.add(target);
    const inner = driver.watch?.(target, hint);
    let closed = false;
    return {
      get live() {
        return options.live ?? inner?.live ?? false;
      },
      close() {
        if (!closed) open--;
        closed = true;
        inner?.close();
      },
    };
  };
  return { driver: { ...driver, watch }, open: () => open, targets };
}

/**
 * Counts the listeners of all abort signals, until it is disposed: the current ones, and all that
 * were ever added.
 */
export function countListeners(): Disposable & { left: () => number; added: () => number } {
  const listening = new Map<AbortSignal, Set<unknown>>();
  let added = 0;
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  const patch = {
    addEventListener(this: AbortSignal, ...args: Parameters<typeof add>) {
      added++;
      listening.set(this, (listening.get(this) ?? new Set()).add(args[1]));
      add.apply(this, args);
    },
    removeEventListener(this: AbortSignal, ...args: Parameters<typeof remove>) {
      listening.get(this)?.delete(args[1]);
      remove.apply(this, args);
    },
  };
  for (const [name, value] of Object.entries(patch)) {
    Object.defineProperty(AbortSignal.prototype, name, { value, configurable: true });
  }
  return {
    left: () => [...listening.values()].reduce((sum, { size }) => sum + size, 0),
    added: () => added,
    [Symbol.dispose]() {
      for (const name of Object.keys(patch)) Reflect.deleteProperty(AbortSignal.prototype, name);
    },
  };
}

/** Wraps a driver, so that it calls a function before each commit. The commit waits for the function. */
export function onCommit(driver: Driver, tell: (request: CommitRequest) => void | Promise<void>): Driver {
  return { ...driver, commit: async (request) => (await tell(request), await driver.commit(request)) };
}

/** Makes a workflow whose steps wait at one gate, and counts these steps. */
export function gatedWorkflow(): {
  flow: Workflow<boolean | undefined, void>;
  open: () => void;
  at: { now: number; most: number; ever: number };
} {
  const { open, opened } = gate();
  const at = { now: 0, most: 0, ever: 0 };
  const flow = workflow("gated", async (ctx, waitFirst: boolean | undefined) => {
    if (waitFirst) await ctx.recv();
    await ctx.step("gate", async () => {
      at.ever++;
      at.most = Math.max(at.most, ++at.now);
      await opened;
      at.now--;
    });
  });
  return { flow, open, at };
}

/** The IDs `w0`, `w1`, ... */
export function ids(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `w${n}`);
}
