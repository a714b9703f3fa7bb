/**
 * The runs of this isolate: which workflows it knows, what it runs at the moment, and how more comes in.
 *
 * @module
 */

import { Claims } from "./claims.ts";
import type { Clock } from "../time/clock.ts";
import { Deadlines } from "./deadlines.ts";
import type { Driver, WatchTarget } from "../driver/driver.ts";
import { type DriverError, LeaseLostError, WorkflowFailedError } from "../errors.ts";
import { Context } from "../context/context.ts";
import { Run } from "../run/run.ts";
import { withRetries } from "../time/retry.ts";
import type { ClaimedRun, RunEnd, RunHost } from "../run/host.ts";
import type { RunnerHost } from "./host.ts";
import { Runs } from "./runs.ts";
import type { Slot } from "./slots.ts";
import { StreamTails } from "../read/stream_tails.ts";
import { sweep, work } from "./sweep.ts";
import type { Values } from "../values/values.ts";
import { Subscriptions } from "../time/subscriptions.ts";
import { unlessAborted, Waiter } from "../time/wait.ts";
import { Wakes } from "./wakes.ts";
import type { Workflow } from "../workflow.ts";

/** How long `close` waits for calls of the `wake` function after its timeout: the last runs have only then handed over. */
const LAST_WAKES_MS = 1_000;

/**
 * How a suspended workflow is continued by whoever made it due.
 *
 * @category Workflows
 */
export type Wake = "inline" | "none" | ((workflowIds: string[]) => Promise<void>);

/**
 * What became of the workflows that a sweep took.
 *
 * @category Workflows
 */
export interface SweepResult {
  /** How many were taken. */
  claimed: number;
  /** How many of them ended. */
  finished: number;
  /** How many of them wait again. */
  suspended: number;
}

/** What a runner is made of. */
export interface RunnerOptions
  extends Pick<RunHost, "driver" | "clock" | "values" | "hotWaitMs" | "leaseMs" | "budgetMs" | "report"> {
  workflows: ReadonlyMap<string, Workflow<unknown, unknown>>;
  wake: Wake;
  maxRequests: number;
  waitUntil: (work: Promise<unknown>) => void;
}

/** Claims and runs workflows. */
export class Runner implements RunnerHost {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly values: Values;
  readonly hints: Subscriptions = new Subscriptions();
  readonly tails: StreamTails = new StreamTails();
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly report: (error: unknown) => void;
  readonly names: readonly string[];
  readonly runs: Runs = new Runs();
  readonly #claims: Claims;
  readonly #options: RunnerOptions;
  readonly #spent = new AbortController();
  readonly #closing = new AbortController();
  readonly #wakes: Wakes;
  readonly #deadlines: Deadlines;
  readonly #work = new Set<Promise<unknown>>();
  /** What the calls of `work` wait on. */
  readonly #workers = new Set<Waiter>();
  #requests = 0;
  /** Whether a wait has found the store to be away, and none since that it is back. */
  #away = false;
  /** Whether runs no longer wait for their steps. */
  #leaving = false;
  /** Aborts when calls of the `wake` function are no longer waited for. */
  readonly #left = new AbortController();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.driver = withRetries(options.driver, options.clock, () => this.#count());
    this.clock = options.clock;
    this.values = options.values;
    this.hotWaitMs = options.hotWaitMs;
    this.leaseMs = options.leaseMs;
    this.budgetMs = options.budgetMs;
    this.report = (error) => {
      try {
        // An asynchronous one returns a promise, whatever its type says.
        Promise.resolve(options.report(error)).catch(() => {});
      } catch {
        // There is nobody left to tell.
      }
    };
    this.names = [...options.workflows.keys()];
    this.#claims = new Claims(this);
    this.#wakes = new Wakes(this, this.#claims);
    this.#deadlines = new Deadlines(this.clock, (workflowIds) => this.#onDeadlines(workflowIds));
  }

  get closing(): boolean {
    return this.closed.aborted;
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when as many requests were made as are allowed. */
  get spent(): AbortSignal {
    return this.#spent.signal;
  }

  /** An outage is reported once, however many wait. */
  readonly onOutage = (error?: DriverError): void => {
    if (error && !this.#away) this.report(error);
    this.#away = error !== undefined;
  };

  /** Whether nothing is taken over any more. */
  get over(): boolean {
    return this.closing || this.spent.aborted;
  }

  knows(name: string): boolean {
    return this.#options.workflows.has(name);
  }

  /** Runs what was claimed. Never rejects. */
  run(claimed: ClaimedRun, slot?: Slot): Promise<RunEnd> {
    const ended = this.#run(claimed, slot).catch((error): RunEnd => {
      this.report(error);
      return "failed";
    });
    this.track(ended);
    return ended.finally(() => slot?.end());
  }

  /** Has a run that is here find out at once whether its workflow was cancelled. */
  check(workflowId: string): void {
    this.track(this.runs.look(workflowId));
  }

  /** Keeps the isolate alive for work that no caller awaits. */
  track(work: Promise<unknown>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
    try {
      this.#options.waitUntil(work);
    } catch (error) {
      // As Cloudflare's does after the end of its request. The work goes on as long as the isolate lives.
      this.report(error);
    }
  }

  /** Settles when nothing runs here any more. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  /** Has all runs hand over, after `timeoutMs` without waiting for their steps, and settles when they have. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing.abort();
    this.#deadlines.clear();
    this.#update();
    let stopTimer = () => {};
    const leave = () => {
      this.#leaving = true;
      this.runs.leave();
      stopTimer = this.clock.after(LAST_WAKES_MS, () => this.#left.abort());
    };
    if (timeoutMs > 0) stopTimer = this.clock.after(timeoutMs, leave);
    else leave();
    await this.idle();
    stopTimer();
  }

  /** Continues workflows that became due, as the `wake` option says, beside the caller. */
  wake(workflowIds: string[]): void {
    const { wake, workflows } = this.#options;
    this.hints.notify(["due"]);
    if (wake === "none") return;
    if (wake !== "inline") return this.#call(wake, workflowIds);
    if (workflows.size > 0 && !this.over) this.#wakes.add(workflowIds);
  }

  /** A workflow that was let go of here is due again in so many milliseconds. */
  dueIn(workflowId: string, ms: number): void {
    if (!this.over && (this.#options.wake !== "none" || this.#workers.size > 0)) this.#deadlines.set(workflowId, ms);
  }

  /** Runs those of these workflows that are due and known here. */
  async runNow(workflowIds: readonly string[]): Promise<SweepResult> {
    const runs: Promise<RunEnd>[] = [];
    await this.#claims.byId(workflowIds, (claimed) => void runs.push(this.run(claimed)));
    return count(await Promise.all(runs));
  }

  /** Takes over what is due and runs it, until nothing is due any more or `limit` were taken. */
  async sweep(limit: number, signal: AbortSignal | undefined): Promise<SweepResult> {
    return count(await sweep(this, this.#claims, limit, signal));
  }

  /** Takes over what is due until the signal aborts, this closes, or no more requests may be made. */
  async work(concurrency: number, signal: AbortSignal): Promise<void> {
    const waiter = new Waiter(this);
    this.#workers.add(waiter);
    waiter.listen(["due"]);
    await work(this, this.#claims, waiter, concurrency, signal);
    this.#workers.delete(waiter);
  }

  #call(wake: Exclude<Wake, string>, workflowIds: string[]): void {
    const called = (async () => await wake(workflowIds))().catch(this.report);
    // It only rejects when nobody waits for it any more.
    this.track(unlessAborted(called, this.#left.signal).catch(() => {}));
  }

  /** One more request is made. */
  #count(): void {
    if (++this.#requests !== this.#options.maxRequests) return;
    this.#spent.abort();
    this.#update();
  }

  #update(): void {
    this.runs.update();
    for (const waiter of this.#workers) waiter.poke();
  }

  /** A worker continues them within its concurrency; without one they are continued here. */
  #onDeadlines(workflowIds: string[]): void {
    if (this.#workers.size > 0) this.hints.notify(["due"]);
    else this.wake(workflowIds);
  }

  async #run(claimed: ClaimedRun, slot: Slot | undefined): Promise<RunEnd> {
    const { workflowId, name, recoveryAttempts } = claimed.workflow;
    const workflow = this.#options.workflows.get(name)!;
    this.#deadlines.delete(workflowId);
    if (!this.runs.isNewer(claimed)) return "lost";
    if (recoveryAttempts > workflow.maxRecoveryAttempts) return await this.#giveUp(claimed);
    const run = new Run(this, (run, input) => workflow.run(new Context(run), input), claimed, (waiting) => {
      this.runs.setWaiting(run, waiting);
      slot?.setWaiting(waiting);
    });
    this.runs.add(claimed, run);
    const ended = run.execute();
    if (this.#leaving) run.leave();
    try {
      const end = await ended;
      if (end === "lost") this.#lost(workflowId);
      return end;
    } finally {
      this.runs.remove(run);
    }
  }

  /** Another run has the workflow, or the store has gone back to an older copy of it, whose lease lapses: then nobody else may know that it has to go on. */
  #lost(workflowId: string): void {
    this.report(new LeaseLostError(workflowId));
    this.dueIn(workflowId, this.leaseMs);
  }

  /** Ends a workflow that was taken over too often without progress. */
  async #giveUp({ workflow: { workflowId, recoveryAttempts }, epoch, owner }: ClaimedRun): Promise<RunEnd> {
    const reason = new Error(`It was taken over ${recoveryAttempts} times from dead runs without progress`);
    const error = this.values.encodeError(reason);
    const result = await this.driver.commit({
      workflowId,
      epoch,
      owner,
      number: 1,
      leaseMs: this.leaseMs,
      operations: [],
      transition: { to: "end", status: "MAX_RECOVERY_ATTEMPTS_EXCEEDED", output: null, error },
    });
    if (result.state === "lost" || result.state === "cancelled") return result.state;
    this.report(new WorkflowFailedError(workflowId, reason));
    this.hints.notify([`outbox:${workflowId}` satisfies WatchTarget]);
    if (result.woken.length > 0) this.wake(result.woken);
    return "finished";
  }
}

function count(ends: RunEnd[]): SweepResult {
  const of = (end: RunEnd) => ends.filter((it) => it === end).length;
  return { claimed: ends.length, finished: of("finished"), suspended: of("suspended") };
}
