/**
 * Schedules: workflows that start at the times of a cron expression.
 *
 * @module
 */

import { Cron } from "croner";
import { quote, ValidationError } from "./errors.ts";
import { checkName, type Duration, toMilliseconds } from "./values/checks.ts";
import type { Workflow } from "./workflow.ts";

/** The default of `catchUp`. */
const CATCH_UP: Duration = "1h";

/** The longest name of a schedule. The ID of an occurrence also has its time. */
const MAX_NAME_LENGTH = 230;

/**
 * A schedule, from {@linkcode schedule}.
 *
 * @category Workflows
 */
export interface Schedule {
  /** Its name. */
  readonly name: string;
  /** The workflow that it starts. */
  readonly workflow: Workflow<unknown, unknown>;
  /** The workflow's input. */
  readonly input: unknown;
  /** What it does while the workflow of the occurrence before has not ended. */
  readonly overlap: "allow" | "skip";
  /** How late an occurrence may be started, in milliseconds. */
  readonly catchUpMs: number;
  /** The latest occurrence at or before an instant, both in epoch milliseconds. `null` if there is none. */
  latest(atMs: number): number | null;
  /** The first occurrence after an instant, both in epoch milliseconds. `null` if there is none. */
  next(atMs: number): number | null;
}

/**
 * Options of {@linkcode schedule}.
 *
 * @category Workflows
 */
export interface ScheduleOptions<I> {
  /** The workflow's input. Default `undefined`. */
  input?: I;
  /** The time zone of the expression, as in `Europe/Berlin`. Default `UTC`. */
  timeZone?: string;
  /**
   * `"skip"` starts nothing at an occurrence while a workflow of an earlier one has not ended.
   * Default `"allow"`.
   */
  overlap?: "allow" | "skip";
  /**
   * How late an occurrence may be started. If nothing swept for longer than that, the occurrences
   * of that time are left out. Of several that were missed, only the latest is started. Default 1 h.
   */
  catchUp?: Duration;
}

/**
 * Defines a schedule. A `Parley` that has it among its `schedules` starts the workflow at each
 * occurrence, when it sweeps or works. The workflow's ID is the schedule's name, `@` and the time of
 * the occurrence, as in `report@2026-11-28T09:00:00Z`. So an occurrence is started once, no matter
 * how many isolates sweep. The store's clock decides what is due.
 *
 * When clocks are set forward or back, an expression with fixed times, such as `30 2 * * *`, runs
 * once a day. If its time is left out that day, it runs at the first instant after the gap. An
 * expression that repeats, such as `0,15 * * * *`, follows real time.
 *
 * @param name The schedule's name, 1 to 230 characters without `@`, unique in a store.
 * @param cron The expression: minute, hour, day of the month, month and day of the week, with seconds
 * before them if there are six fields.
 * @param workflow The workflow to start.
 * @param options Input, time zone, overlap and catch-up.
 * @returns The schedule. Pass it to `new Parley`.
 * @throws {ValidationError} If the name, the expression, the time zone or an option is not legal, or
 * the expression has no occurrence.
 *
 * @example A report on every working day at nine
 * ```ts
 * import { memoryDriver, Parley, schedule, workflow } from "@parley/parley";
 *
 * const report = workflow("report", async (ctx) => await ctx.step("send", () => "sent"));
 * const daily = schedule("daily-report", "0 9 * * 1-5", report, { timeZone: "Europe/Berlin" });
 * const parley = new Parley({ driver: memoryDriver(), workflows: [report], schedules: [daily] });
 * await parley.sweep();
 * ```
 *
 * @category Workflows
 */
export function schedule<I>(
  name: string,
  cron: string,
  workflow: Workflow<unknown, unknown, I>,
  options: ScheduleOptions<NoInfer<I>> = {},
): Schedule {
  const { input, timeZone = "UTC", overlap = "allow", catchUp = CATCH_UP } = options;
  checkName(name, "schedule name");
  if (name.includes("@") || [...name].length > MAX_NAME_LENGTH) {
    throw new ValidationError(
      `Defining schedule ${quote(name)}: the name must have at most ${MAX_NAME_LENGTH} characters, and no "@"`,
    );
  }
  if (overlap !== "allow" && overlap !== "skip") {
    throw new ValidationError(`Defining schedule ${quote(name)}: overlap must be "allow" or "skip"`);
  }
  const times = occurrences(name, cron, timeZone);
  return {
    name,
    workflow,
    input,
    overlap,
    catchUpMs: toMilliseconds(catchUp, "catchUp"),
    // An instant with milliseconds counts as later than its second.
    latest: (atMs) => times.previousRuns(1, new Date(atMs + 1))[0]?.getTime() ?? null,
    next: (atMs) => times.nextRun(new Date(atMs))?.getTime() ?? null,
  };
}

/** Checks an expression and a time zone by computing an occurrence. */
function occurrences(name: string, cron: string, timeZone: string): Cron {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ValidationError(`Defining schedule ${quote(name)}: ${why}`, undefined, { cause });
  };
  try {
    const times = new Cron(cron, { timezone: timeZone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard" });
    if (times.nextRun() ?? times.previousRuns(1)[0]) return times;
  } catch (error) {
    const isZone = error instanceof Error && /timezone/i.test(error.message);
    if (isZone) return refuse(`the time zone ${quote(timeZone)} must be one that this runtime knows`, error);
    return refuse(`the expression ${quote(cron)} must be a cron expression of five or six fields`, error);
  }
  return refuse(`the expression ${quote(cron)} has no occurrence`);
}
