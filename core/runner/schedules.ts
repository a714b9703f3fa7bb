/**
 * Starts the workflows of schedules.
 *
 * @module
 */

import { describeInput } from "../workflow.ts";
import type { Schedule } from "../schedule.ts";
import type { RunHost } from "../run/host.ts";

/** The schedules of one runner. */
export class Schedules {
  readonly #host: RunHost;
  readonly #schedules: readonly Schedule[];
  /** The latest occurrence of each schedule that this isolate has handled. */
  readonly #handled = new Map<Schedule, number>();

  constructor(host: RunHost, schedules: readonly Schedule[]) {
    this.#host = host;
    this.#schedules = schedules;
  }

  /**
   * Starts the latest occurrence of each schedule, unless it is too old or was started before.
   * Reports an input that cannot be stored.
   *
   * @param now The store's time.
   * @returns Whether a workflow was started, and the time until the next occurrence in milliseconds;
   * `Infinity` if there is none.
   * @throws {DriverError} If the store fails.
   */
  async start(now: number): Promise<{ started: boolean; nextMs: number }> {
    let started = false;
    let nextMs = Infinity;
    for (const schedule of this.#schedules) {
      const at = schedule.latest(now);
      if (at !== null && at !== this.#handled.get(schedule) && now - at <= schedule.catchUpMs) {
        started = await this.#startOne(schedule, at) || started;
        this.#handled.set(schedule, at);
      }
      nextMs = Math.min(nextMs, (schedule.next(now) ?? Infinity) - now);
    }
    return { started, nextMs };
  }

  /** The first occurrence after an instant, both in epoch milliseconds; `null` if there is none. */
  next(now: number): number | null {
    const times = this.#schedules.flatMap((schedule) => schedule.next(now) ?? []);
    return times.length > 0 ? Math.min(...times) : null;
  }

  async #startOne(schedule: Schedule, at: number): Promise<boolean> {
    const { driver, values, report } = this.#host;
    const { name, workflow, input } = schedule;
    if (schedule.overlap === "skip" && await this.#isActive(name)) return false;
    const text = await (async () => await values.take(input, describeInput(workflow.name), workflow.input)())().catch(
      report,
    );
    if (text === undefined) return false;
    const { created } = await driver.create({
      workflowId: occurrenceId(name, at),
      name: workflow.name,
      input: text,
      owner: crypto.randomUUID(),
      leaseMs: null,
    });
    return created;
  }

  /** Whether a workflow of an occurrence has not ended. */
  async #isActive(name: string): Promise<boolean> {
    const { workflows } = await this.#host.driver.listWorkflows({
      statuses: ["ENQUEUED", "PENDING"],
      name: null,
      problem: false,
      idPrefix: `${name}@`,
      values: false,
      limit: 1,
      cursor: null,
    });
    return workflows.length > 0;
  }
}

/** The ID of the workflow of an occurrence. Occurrences are whole seconds. */
function occurrenceId(name: string, at: number): string {
  return `${name}@${new Date(at).toISOString().replace(/\.\d+Z$/, "Z")}`;
}
