/**
 * A `Parley` for tests.
 *
 * @module
 */

import type { Driver } from "../core/driver/driver.ts";
import type { ParleyOptions } from "../core/options.ts";
import { Parley } from "../core/parley.ts";
import type { Schedule } from "../core/schedule.ts";
import { delay, systemClock } from "../core/time/clock.ts";
import { type Duration, toInstant, toMilliseconds } from "../core/values/checks.ts";
import type { StepContext } from "../core/step_context.ts";
import type { Workflow, WorkflowContext } from "../core/workflow.ts";
import { memoryDriver } from "../drivers/memory/mod.ts";
import { ManualClock } from "./manual_clock.ts";

/**
 * How long work may take in real time before the test's time goes on without it. A step that hangs
 * would otherwise hang the test, and its own timeout could never pass.
 */
const PATIENCE_MS = 1_000;

/**
 * Runs in place of the code of a step. It is called for each try, and what it throws fails the try.
 *
 * @param step The context of the try. `step.attempt` counts the tries from 1.
 * @param code The step's own code.
 * @returns The value of the step.
 *
 * @category Tests
 */
export type StepReplacement = (step: StepContext, code: () => Promise<unknown>) => unknown;

/**
 * Options of {@linkcode testParley}: those of a `Parley` without a driver and a clock, and these.
 * `hotWait` is 0 by default, so that a workflow that waits suspends at once.
 *
 * @category Tests
 */
export interface TestParleyOptions extends Omit<ParleyOptions, "driver" | "clock" | "workflows"> {
  /** The workflows under test, with those that they start. */
  workflows: readonly Workflow<unknown, unknown>[];
  /** Replacements of steps by name, in all workflows. Other steps run their own code. Default none. */
  steps?: Readonly<Record<string, StepReplacement>>;
  /** The first time, as a `Date` or in epoch milliseconds. Default 2025-01-01T00:00:00Z. */
  start?: Date | number;
}

/**
 * Makes a `Parley` over memory, whose time passes only when the test says so.
 *
 * @param options The workflows, the replaced steps, the first time, and options of a `Parley`.
 * @returns The `Parley`. It needs no disposal, because it holds nothing but memory.
 * @throws {ValidationError} If an option is not legal.
 *
 * @example A step that fails twice, and a message that comes an hour later
 * ```ts
 * import { workflow } from "@parley/parley";
 * import { testParley } from "@parley/parley/testing";
 * import assert from "node:assert/strict";
 *
 * const order = workflow("order", async (ctx) => {
 *   const price = await ctx.step("price", () => 20, { retries: 2, delay: "1m" });
 *   return { price, paid: await ctx.recv<boolean>("payment", { timeout: "2h" }) };
 * });
 *
 * const parley = testParley({
 *   workflows: [order],
 *   steps: {
 *     price: ({ attempt }, code) => {
 *       if (attempt < 3) throw new Error("busy");
 *       return code();
 *     },
 *   },
 * });
 * const handle = await parley.start(order, undefined);
 * await parley.advance("1h");
 * await handle.send(true, { topic: "payment" });
 * assert.deepEqual(await handle.result(), { price: 20, paid: true });
 * ```
 *
 * @category Tests
 */
export function testParley(options: TestParleyOptions): TestParley {
  return new TestParley(options);
}

/**
 * A `Parley` whose time passes at the test's command. See {@linkcode testParley}.
 *
 * @category Tests
 */
export class TestParley extends Parley {
  /** The time of the test. It stands still until {@linkcode TestParley.advance} moves it. */
  readonly clock: ManualClock;
  readonly #schedules: readonly Schedule[];
  /** The names of replacements that no step has used yet. */
  readonly #unused: Set<string>;
  /** How long after the last claim the next workflow becomes due, in milliseconds. */
  readonly #nextDueMs: () => number;
  /** Set while work takes longer than {@linkcode PATIENCE_MS}. */
  #isStuck = false;

  /**
   * Makes it, as {@linkcode testParley} does.
   *
   * @param options The workflows, the replaced steps, the first time, and options of a `Parley`.
   * @throws {ValidationError} If an option is not legal.
   */
  constructor(options: TestParleyOptions) {
    const { workflows, steps = {}, start, ...rest } = options;
    const at = start === undefined ? undefined : toInstant(start, "start of the test");
    // The clock waits for the work of this `Parley`, which does not exist yet.
    let settled = () => Promise.resolve();
    const clock = new ManualClock(at, { settled: () => settled() });
    const driver = memoryDriver({ clock });
    let nextDueMs = Infinity;
    const claim: Driver["claim"] = async (request) => {
      const result = await driver.claim(request);
      if (request.workflowIds === null) nextDueMs = result.nextDueMs ?? Infinity;
      return result;
    };
    const unused = new Set(Object.keys(steps));
    super({
      hotWait: 0,
      ...rest,
      driver: { ...driver, claim },
      clock,
      workflows: workflows.map((workflow) => withSteps(workflow, steps, unused)),
    });
    this.clock = clock;
    this.#schedules = rest.schedules ?? [];
    this.#unused = unused;
    this.#nextDueMs = () => nextDueMs;
    settled = () => this.#patiently(() => this.idle());
  }

  /**
   * The names of replaced steps that have not run yet. A test that expects each of them compares it
   * with `[]`, and so finds a name that it has misspelt.
   */
  get unusedSteps(): string[] {
    return [...this.#unused];
  }

  /**
   * Lets time pass. Whatever becomes due on the way runs at its time: sleeps, timeouts, retries,
   * delayed starts and schedules. Before and after each of them, the work that it started is awaited,
   * in real time too, such as a step that reads a file. Work that takes longer than a second of real
   * time is left to itself, so that the timeout of a step that hangs can pass.
   *
   * @param duration How long, 0 or more. With 0 only what is due now runs.
   * @returns A promise that settles when nothing more is due until then.
   * @throws {ValidationError} If the duration is not legal.
   *
   * @example A schedule
   * ```ts
   * import { schedule, workflow } from "@parley/parley";
   * import { testParley } from "@parley/parley/testing";
   * import assert from "node:assert/strict";
   *
   * const report = workflow("report", () => "sent");
   * const daily = schedule("daily", "0 9 * * *", report);
   * const parley = testParley({ workflows: [report], schedules: [daily] });
   * await parley.advance("3d");
   * assert.equal((await parley.list({ name: "report", status: "SUCCESS" })).workflows.length, 3);
   * ```
   */
  async advance(duration: Duration): Promise<void> {
    const until = this.clock.now() + toMilliseconds(duration, "time to advance");
    await this.#runDue();
    for (let now = this.clock.now(); now < until; now = this.clock.now()) {
      const occurrences = this.#schedules.map((schedule) => schedule.next(now) ?? Infinity);
      const next = Math.ceil(Math.min(now + this.#nextDueMs(), this.clock.next, ...occurrences));
      // Whole milliseconds, at least one, so that time passes whatever is due.
      await this.clock.advance(Math.min(until, Math.max(now + 1, next)) - now);
      await this.#runDue();
    }
  }

  /** Runs what is due now, and what that makes due. */
  async #runDue(): Promise<void> {
    await this.#patiently(async () => {
      while ((await this.sweep()).claimed > 0);
      await this.idle();
    });
  }

  /** Waits for work, but not for ever. */
  async #patiently(work: () => Promise<unknown>): Promise<void> {
    if (this.#isStuck) return;
    const waiting = new AbortController();
    const done = work().finally(() => {
      this.#isStuck = false;
      waiting.abort();
    });
    await Promise.race([done, delay(systemClock, PATIENCE_MS, waiting.signal)]);
    if (waiting.signal.aborted) return await done as void;
    this.#isStuck = true;
    done.catch(() => {});
  }
}

/** The workflow with other steps. */
function withSteps(
  workflow: Workflow<unknown, unknown>,
  steps: Readonly<Record<string, StepReplacement>>,
  unused: Set<string>,
): Workflow<unknown, unknown> {
  return { ...workflow, run: (ctx, input) => workflow.run(replacingSteps(ctx, steps, unused), input) };
}

function replacingSteps(
  ctx: WorkflowContext,
  steps: Readonly<Record<string, StepReplacement>>,
  unused: Set<string>,
): WorkflowContext {
  const step: WorkflowContext["step"] = (name, code, options) => {
    const replacement = Object.hasOwn(steps, name) ? steps[name] : undefined;
    if (!replacement) return ctx.step(name, code, options);
    unused.delete(name);
    const own = (step: StepContext) => replacement(step, async () => await code(step)) as ReturnType<typeof code>;
    return ctx.step(name, own, options);
  };
  // The context's own properties cannot be replaced, so the target of the proxy is another object.
  return new Proxy({} as WorkflowContext, { get: (_, key) => key === "step" ? step : Reflect.get(ctx, key) });
}
