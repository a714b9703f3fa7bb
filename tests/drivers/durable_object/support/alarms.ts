/**
 * Starts the Worker of the alarms, and asks it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../../../core/time/clock.ts";
import { type RunningWorker, startWorker } from "../../../support/workerd/mod.ts";
import type { Seen, Wish } from "../entries/alarms.ts";

/** How long a test waits on a busy machine. */
const PATIENCE_MS = 60_000;

/** The Worker, and what it answers. */
export class AlarmWorker {
  readonly #worker: RunningWorker;

  private constructor(worker: RunningWorker) {
    this.#worker = worker;
  }

  static async start(options: { folder?: string } = {}): Promise<AlarmWorker> {
    const entry = "tests/drivers/durable_object/entries/alarms.ts";
    return new AlarmWorker(await startWorker({ entry, objects: { STORE: "Store" }, ...options }));
  }

  async ask(wish: Wish): Promise<unknown> {
    const response = await this.#worker.fetch("/", { method: "POST", body: JSON.stringify(wish) });
    const text = await response.text();
    assert(response.ok, text);
    return JSON.parse(text);
  }

  async look(object: string): Promise<Seen[]> {
    return await this.ask({ object, do: "look" }) as Seen[];
  }

  async counts(object: string): Promise<{ calls: number; alarms: number }> {
    return await this.ask({ object, do: "counts" }) as { calls: number; alarms: number };
  }

  /** Waits until a number of workflows of an object have ended, and no other one is left. This makes nothing due. */
  async ended(object: string, workflows: number): Promise<Seen[]> {
    for (const began = performance.now();; await delay(systemClock, 250)) {
      // To look at all of them takes time, which would make others late.
      const open = await this.ask({ object, do: "open" }) as unknown[];
      const seen = open.length > 0 ? [] : (await this.look(object)).filter(({ status }) => status === "SUCCESS");
      if (seen.length >= workflows) return seen;
      assert(performance.now() - began < PATIENCE_MS, `some of ${workflows} workflows have not ended`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
  }
}
