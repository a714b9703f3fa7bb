/**
 * Claims workflows and runs them in this isolate.
 *
 * @module
 */

import type { SendReceipt, Topics } from "../channel.ts";
import { Claims } from "./claims.ts";
import type { Clock } from "../time/clock.ts";
import { Deadlines } from "./deadlines.ts";
import type { CommitResult, Driver, WorkflowRecord } from "../driver/driver.ts";
import { type DriverError, LeaseLostError, WorkflowFailedError } from "../errors.ts";
import { Context } from "../context/context.ts";
import { type Recipient, refusalError, type takeMessage } from "../context/messages.ts";
import { Observing } from "../observe/observing.ts";
import type { RunObservation } from "../observe/run_observation.ts";
import { Run } from "../run/run.ts";
import { withRetries } from "../time/retry.ts";
import type { ClaimedRun, End, RunHost } from "../run/host.ts";
import type { Observer, RunEnd } from "../observer.ts";
import type { RunnerHost } from "./host.ts";
import { Runs } from "./runs.ts";
import { Schedules } from "./schedules.ts";
import type { Slot } from "./slots.ts";
import { SharedLooks } from "../read/shared_looks.ts";
import { StreamTails } from "../read/stream_tails.ts";
import { sweep, work } from "./sweep.ts";
import type { Values } from "../values/values.ts";
import { statusTargets, Subscriptions } from "../time/subscriptions.ts";
import { unlessAborted } from "../time/wait.ts";
import { Waiter } from "../time/waiter.ts";
import { Wakes } from "./wakes.ts";
import type { Schedule } from "../schedule.ts";
import type { Workflow } from "../workflow.ts";

/**
 * How long `close` waits for calls of the `wake` function after its timeout. The last runs hand
 * over only at the timeout, and may call `wake` then.
 */
const LAST_WAKES_MS = 1_000;

/**
 * How a suspended workflow continues after an operation has made it due.
 *
 * @category Workflows
 */
export type Wake = "inline" | "none" | ((workflowIds: string[]) => Promise<void>);

/**
 * The result of a sweep.
 *
 * @category Workflows
 */
export interface SweepResult {
  /** How many workflows were claimed. */
  claimed: number;
  /** How many of the claimed workflows ended. */
  finished: number;
  /** How many of the claimed workflows wait again. */
  suspended: number;
}

/** The options of a runner. */
export interface RunnerOptions
  extends Pick<RunHost, "driver" | "clock" | "values" | "hotWaitMs" | "leaseMs" | "budgetMs" | "report"> {
  workflows: ReadonlyMap<string, Workflow<unknown, unknown>>;
  topics: Topics;
  schedules: readonly Schedule[];
  wake: Wake;
  maxRequests: number;
  observer: Observer | undefined;
  waitUntil: (work: Promise<unknown>) => void;
}

/** Claims and runs workflows. */
export class Runner implements RunnerHost {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly values: Values;
  readonly observing: Observing | undefined;
  readonly hints: Subscriptions = new Subscriptions();
  readonly tails: StreamTails = new StreamTails();
  readonly looks: SharedLooks = new SharedLooks();
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly report: (error: unknown) => void;
  readonly names: readonly string[];
  readonly topics: Topics;
  readonly runs: Runs = new Runs();
  readonly schedules: Schedules;
  readonly #claims: Claims;
  readonly #options: RunnerOptions;
  readonly #spent = new AbortController();
  readonly #closing = new AbortController();
  readonly #wakes: Wakes;
  readonly #deadlines: Deadlines;
  readonly #work = new Set<Promise<unknown>>();
  /** The waiters of the calls of `work`. */
  readonly #workers = new Set<Waiter>();
  #requests = 0;
  /**
   * Whether the waits have found the store unavailable. A wait sets this when a look fails, and
   * clears it when a look succeeds after a failure.
   */
  #away = false;
  /** Whether runs no longer wait for their steps. */
  #leaving = false;
  /** Aborts when nobody waits for calls of the `wake` function any more. */
  readonly #left = new AbortController();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.values = options.values;
    this.hotWaitMs = options.hotWaitMs;
    this.leaseMs = options.leaseMs;
    this.budgetMs = options.budgetMs;
    this.report = (error) => {
      try {
        // An asynchronous function returns a promise, whatever its type says.
        Promise.resolve(options.report(error)).catch(() => {});
      } catch {
        // A failure of `report` itself cannot be reported.
      }
    };
    this.observing = options.observer && new Observing(options.observer, options.clock, this.report);
    this.driver = withRetries(options.driver, options.clock, () => this.#count(), this.observing);
    this.names = [...options.workflows.keys()];
    this.topics = options.topics;
    this.schedules = new Schedules(this, options.schedules);
    this.#claims = new Claims(this);
    this.#wakes = new Wakes(this, this.#claims);
    this.#deadlines = new Deadlines(this.clock, (workflowIds) => this.#onDeadlines(workflowIds));
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when the allowed number of requests has been made. */
  get spent(): AbortSignal {
    return this.#spent.signal;
  }

  /** Reports an outage once, for all waits together. */
  readonly onOutage = (error?: DriverError): void => {
    if (error && !this.#away) this.report(error);
    this.#away = error !== undefined;
  };

  /** Whether this runner claims nothing more. */
  get over(): boolean {
    return this.closed.aborted || this.spent.aborted;
  }

  /** Runs a claimed workflow. Never rejects. */
  run(claimed: ClaimedRun, slot?: Slot): Promise<RunEnd> {
    const ended = this.#run(claimed, slot).catch((error): RunEnd => {
      this.report(error);
      return "failed";
    });
    this.track(ended);
    return ended.finally(() => slot?.end());
  }

  /** Asks the store at once whether a workflow that runs here was cancelled. */
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
      // Cloudflare's `waitUntil` throws after the end of its request. The work continues as long as
      // the isolate lives.
      this.report(error);
    }
  }

  /** Settles when nothing runs here any more. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  /**
   * Tells all runs to hand over. The promise settles when they have done so. After `timeoutMs` the
   * runs no longer wait for their steps.
   */
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

  /**
   * Sends messages from outside of a workflow, all or none, and continues the workflows that they
   * make due.
   */
  async send(recipients: Recipient[], taken: ReturnType<typeof takeMessage>[]): Promise<SendReceipt[]> {
    const observed = this.observing?.send(recipients);
    try {
      const messages = await Promise.all(taken.map((prepare) => prepare(undefined, observed?.traceparent)));
      if (messages.length > 1) this.values.checkTravel(messages.map(({ value }) => value), "list of messages");
      const result = await this.driver.send(messages);
      if (result.state === "refused") throw refusalError(result.reason, recipients[result.index]!, result.status);
      this.hints.notify(recipients.map(({ workflowId }) => `inbox:${workflowId}` as const));
      if (result.woken.length > 0) this.wake(result.woken);
      observed?.end({ messageIds: result.receipts.map(({ messageId }) => messageId) });
      return result.receipts;
    } catch (error) {
      observed?.fail(error);
      throw error;
    }
  }

  /**
   * Continues workflows that became due, as the `wake` option says. The caller does not wait for
   * these workflows.
   */
  wake(workflowIds: string[]): void {
    const { wake, workflows } = this.#options;
    this.hints.notify(["due"]);
    if (wake === "none") return;
    if (wake !== "inline") return this.#call(wake, workflowIds);
    if (workflows.size > 0 && !this.over) this.#wakes.add(workflowIds);
  }

  /** Notes that a workflow becomes due in `ms` milliseconds, and should continue here then. */
  dueIn(workflowId: string, ms: number): void {
    if (!this.over && (this.#options.wake !== "none" || this.#workers.size > 0)) this.#deadlines.set(workflowId, ms);
  }

  ending(workflowId: string, { status, output, error }: End, failed: WorkflowRecord["failed"] = null): () => void {
    const give = this.looks.giving(`result:${workflowId}`);
    return () => give({ status, output, error, failed });
  }

  /** Runs the given workflows that are due and whose names are known here. */
  async runNow(workflowIds: readonly string[]): Promise<SweepResult> {
    const runs: Promise<RunEnd>[] = [];
    await this.#claims.byId(workflowIds, (claimed) => void runs.push(this.run(claimed)));
    return count(await Promise.all(runs));
  }

  /**
   * Claims and runs due workflows until none is due or `limit` were claimed. It stops earlier if
   * the signal aborts, this runner closes, or no requests are left.
   */
  async sweep(limit: number, signal: AbortSignal | undefined): Promise<SweepResult> {
    const observed = this.observing?.sweep(limit);
    try {
      const result = count(await sweep(this, this.#claims, limit, signal));
      observed?.end(result);
      return result;
    } catch (error) {
      observed?.fail(error);
      throw error;
    }
  }

  /**
   * Claims and runs due workflows until the signal aborts, this runner closes, or no requests are
   * left.
   */
  async work(concurrency: number, signal: AbortSignal): Promise<void> {
    const waiter = new Waiter(this);
    this.#workers.add(waiter);
    waiter.listen(["due"]);
    await work(this, this.#claims, waiter, concurrency, signal);
    this.#workers.delete(waiter);
  }

  #call(wake: Exclude<Wake, string>, workflowIds: string[]): void {
    const called = (async () => await wake(workflowIds))().catch(this.report);
    // This rejects only when `close` no longer waits, because `called` never rejects.
    this.track(unlessAborted(called, this.#left.signal).catch(() => {}));
  }

  /** Counts a request. */
  #count(): void {
    if (++this.#requests !== this.#options.maxRequests) return;
    this.#spent.abort();
    this.#update();
  }

  #update(): void {
    this.runs.update();
    for (const waiter of this.#workers) waiter.poke();
  }

  /**
   * Continues workflows whose deadlines have passed. If there is a worker, it continues them within
   * its concurrency. Otherwise they continue as the `wake` option says.
   */
  #onDeadlines(workflowIds: string[]): void {
    if (this.#workers.size > 0) this.hints.notify(["due"]);
    else this.wake(workflowIds);
  }

  async #run(claimed: ClaimedRun, slot: Slot | undefined): Promise<RunEnd> {
    const { workflowId, name, recoveryAttempts } = claimed.workflow;
    const workflow = this.#options.workflows.get(name)!;
    this.#deadlines.delete(workflowId);
    if (!this.runs.isNewer(claimed)) return "lost";
    const observed = this.observing?.run(claimed);
    if (recoveryAttempts > workflow.maxRecoveryAttempts) return await this.#giveUp(claimed, observed);
    const run = new Run(
      this,
      (run, input) => workflow.run(new Context(run, workflow), input),
      claimed,
      (waiting) => {
        this.runs.setWaiting(run, waiting);
        slot?.setWaiting(waiting);
      },
      observed,
    );
    this.runs.add(claimed, run);
    const ended = run.execute();
    if (this.#leaving) run.leave();
    try {
      const end = await ended;
      observed?.ended(end);
      if (end === "lost") this.#lost(workflowId);
      return end;
    } finally {
      this.runs.remove(run);
    }
  }

  /**
   * Handles a lost lease. Another run may have the workflow, or the store may have gone back to an
   * older copy. In the second case perhaps no other isolate knows that the workflow must continue.
   * So this runner tries it again after the lease in the older copy has lapsed.
   */
  #lost(workflowId: string): void {
    this.report(new LeaseLostError(workflowId));
    this.dueIn(workflowId, this.leaseMs);
  }

  /** Ends a workflow that was taken over too often without progress. */
  async #giveUp(claimed: ClaimedRun, observed: RunObservation | undefined): Promise<RunEnd> {
    const { workflow: { workflowId, recoveryAttempts }, epoch, owner } = claimed;
    const reason = new Error(`The workflow was taken over ${recoveryAttempts} times from dead runs without progress`);
    const error = this.values.encodeError(reason);
    const transition: End = { to: "end", status: "MAX_RECOVERY_ATTEMPTS_EXCEEDED", output: null, error };
    const onEnd = this.ending(workflowId, transition);
    observed?.ending(transition.status);
    const request = { workflowId, epoch, owner, number: 1, leaseMs: this.leaseMs, operations: [], transition };
    let result: CommitResult;
    try {
      result = await this.driver.commit(request);
    } catch (error) {
      observed?.fail(error);
      throw error;
    }
    const end = result.state === "lost" || result.state === "cancelled" ? result.state : "finished";
    observed?.ended(end);
    if (!("woken" in result)) return end;
    this.report(new WorkflowFailedError(workflowId, reason));
    onEnd();
    this.hints.notify(statusTargets(workflowId));
    if (result.woken.length > 0) this.wake(result.woken);
    return "finished";
  }
}

function count(ends: RunEnd[]): SweepResult {
  const of = (end: RunEnd) => ends.filter((it) => it === end).length;
  return { claimed: ends.length, finished: of("finished"), suspended: of("suspended") };
}
