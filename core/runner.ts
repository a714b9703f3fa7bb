/**
 * The runs of this isolate: which workflows it knows, what it runs at the moment, and how more comes in.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Driver, WatchTarget } from "./driver.ts";
import { UnknownWorkflowError, WorkflowFailedError } from "./errors.ts";
import { Run } from "./executor.ts";
import { withRetries } from "./retry.ts";
import type { Lease, RunEnd, RunHost } from "./run_host.ts";
import { StreamTails } from "./stream_tails.ts";
import type { Values } from "./values.ts";
import { Hints, Waiter } from "./wait.ts";
import type { Workflow } from "./workflow.ts";

/** How a suspended workflow is continued by whoever made it due. */
export type Wake = "inline" | "none" | ((workflowIds: string[]) => Promise<void>);

/** What became of the workflows that a sweep took. */
export interface SweepResult {
  /** How many were taken. */
  claimed: number;
  /** How many of them ended. */
  finished: number;
  /** How many of them wait again. */
  suspended: number;
}

/** What a runner is made of. */
export interface RunnerOptions {
  driver: Driver;
  clock: Clock;
  values: Values;
  workflows: ReadonlyMap<string, Workflow<unknown, unknown>>;
  wake: Wake;
  hotWaitMs: number;
  leaseMs: number;
  budgetMs: number;
  maxRequests: number;
  waitUntil: (work: Promise<unknown>) => void;
  report: (error: unknown) => void;
}

/** How many workflows are continued side by side by inline wakes, and by a sweep. */
const SIDE_BY_SIDE = 16;
/** How many more may wait for an inline wake; the rest is left to a sweep. */
const LONGEST_WAKE_QUEUE = 1_000;

const NOTHING: { leases: Lease[]; nextDueMs: number | null } = { leases: [], nextDueMs: null };

/** Claims and runs workflows. */
export class Runner implements RunHost {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly values: Values;
  readonly hints: Hints = new Hints();
  readonly tails: StreamTails = new StreamTails();
  readonly hotWaitMs: number;
  readonly leaseMs: number;
  readonly budgetMs: number;
  readonly report: (error: unknown) => void;
  readonly #options: RunnerOptions;
  readonly #spent = new AbortController();
  #requests = 0;
  #closing = false;
  readonly #runs = new Map<string, Run>();
  readonly #work = new Set<Promise<unknown>>();
  readonly #toWake = new Set<string>();
  #waking = 0;
  readonly #reported = new Set<string>();
  /** What the calls of `work` wait on. */
  readonly #workers = new Set<Waiter>();

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
        options.report(error);
      } catch {
        // There is nobody left to tell.
      }
    };
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Aborts when as many requests were made as are allowed. */
  get spent(): AbortSignal {
    return this.#spent.signal;
  }

  knows(name: string): boolean {
    return this.#options.workflows.has(name);
  }

  /** Runs what was claimed. Never rejects. */
  run(lease: Lease): Promise<RunEnd> {
    const ended = this.#run(lease).catch((error): RunEnd => {
      this.report(error);
      return "failed";
    });
    this.track(ended);
    return ended;
  }

  /** Has a run that is here find out at once whether its workflow was cancelled. */
  check(workflowId: string): void {
    this.#runs.get(workflowId)?.check();
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

  /** Has all runs hand over, and settles when they have. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#update();
    for (const waiter of this.#workers) waiter.poke();
    await this.idle();
  }

  /** Continues workflows that became due, as the `wake` option says, beside the caller. */
  wake(workflowIds: string[]): void {
    const { wake, workflows } = this.#options;
    this.hints.notify(["due"]);
    if (wake === "none") return;
    if (wake !== "inline") return this.track((async () => await wake(workflowIds))().catch(this.report));
    if (workflows.size === 0 || this.closing || this.spent.aborted) return;
    for (const workflowId of workflowIds) {
      if (this.#toWake.size < LONGEST_WAKE_QUEUE) this.#toWake.add(workflowId);
    }
    this.#wakeMore();
  }

  /** Runs those of these workflows that are due and known here. */
  async runNow(workflowIds: readonly string[]): Promise<SweepResult> {
    const { leases } = await this.#claim(workflowIds.length, workflowIds);
    return count(await Promise.all(leases.map((lease) => this.run(lease))));
  }

  /** Takes over what is due and runs it, until nothing is due any more or `limit` were taken. */
  async sweep(limit: number, signal: AbortSignal | undefined): Promise<SweepResult> {
    const ends: RunEnd[] = [];
    const running = new Set<Promise<void>>();
    while (ends.length + running.size < limit && !signal?.aborted && !this.spent.aborted) {
      const room = Math.min(limit - ends.length - running.size, SIDE_BY_SIDE - running.size);
      const { leases } = await this.#claim(room);
      for (const lease of leases) this.#runIn(running, lease, (end) => ends.push(end));
      if (running.size === 0) break;
      // What runs may make more due; so look again when some of it is done.
      if (leases.length < room || running.size === SIDE_BY_SIDE) await Promise.race(running);
    }
    await Promise.all(running);
    return count(ends);
  }

  /** Takes over what is due for as long as the process lives. A fault of the store is reported and outlived. */
  async work(concurrency: number, signal: AbortSignal): Promise<void> {
    const waiter = new Waiter(this);
    this.#workers.add(waiter);
    const running = new Set<Promise<void>>();
    waiter.listen(["due"]);
    while (!signal.aborted && !this.closing) {
      const room = concurrency - running.size;
      const { leases, nextDueMs } = room > 0 ? await this.#claim(room).catch((error) => this.#outlive(error)) : NOTHING;
      // What a run leaves behind may be due sooner than all that was known before.
      for (const lease of leases) this.#runIn(running, lease, () => waiter.poke());
      if (leases.length > 0) waiter.reset();
      if (room === 0 || leases.length < room) await waiter.next({ signal, poll: room > 0, limitMs: nextDueMs ?? Infinity });
    }
    waiter.close();
    this.#workers.delete(waiter);
    await Promise.all(running);
  }

  /** One more request is made. */
  #count(): void {
    if (++this.#requests !== this.#options.maxRequests) return;
    this.#spent.abort();
    this.#update();
  }

  #update(): void {
    for (const run of this.#runs.values()) run.update();
  }

  #outlive(error: unknown): typeof NOTHING {
    this.report(error);
    return NOTHING;
  }

  async #claim(limit: number, workflowIds: readonly string[] | null = null): Promise<{ leases: Lease[]; nextDueMs: number | null }> {
    const names = [...this.#options.workflows.keys()];
    if (limit === 0 || this.closing) return NOTHING;
    const owner = crypto.randomUUID();
    const { claimed, unknown, nextDueMs } = await this.driver.claim({
      workflowIds,
      names,
      except: [],
      limit,
      leaseMs: this.leaseMs,
      owner,
    });
    for (const name of unknown) {
      if (this.#reported.has(name)) continue;
      this.#reported.add(name);
      this.report(new UnknownWorkflowError(name));
    }
    return { leases: claimed.map((it) => ({ ...it, owner })), nextDueMs };
  }

  #runIn(running: Set<Promise<void>>, lease: Lease, onEnd: (end: RunEnd) => void): void {
    const run: Promise<void> = this.run(lease).then((end) => {
      running.delete(run);
      onEnd(end);
    });
    running.add(run);
  }

  async #run(lease: Lease): Promise<RunEnd> {
    const { workflowId, name, recoveryAttempts } = lease.workflow;
    const workflow = this.#options.workflows.get(name)!;
    if (recoveryAttempts > workflow.maxRecoveryAttempts) return await this.#giveUp(lease);
    const run = new Run(this, workflow, lease);
    this.#runs.set(workflowId, run);
    try {
      return await run.execute();
    } finally {
      if (this.#runs.get(workflowId) === run) this.#runs.delete(workflowId);
    }
  }

  /** Ends a workflow that was taken over too often without progress. */
  async #giveUp({ workflow: { workflowId, recoveryAttempts }, epoch, owner }: Lease): Promise<RunEnd> {
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

  #wakeMore(): void {
    const workflowIds = [...this.#toWake].slice(0, SIDE_BY_SIDE - this.#waking);
    if (workflowIds.length === 0) return;
    for (const workflowId of workflowIds) this.#toWake.delete(workflowId);
    this.#waking += workflowIds.length;
    const free = (slots: number) => {
      this.#waking -= slots;
      this.#wakeMore();
    };
    const claiming = this.#claim(workflowIds.length, workflowIds).then(({ leases }) => {
      for (const lease of leases) void this.run(lease).then(() => free(1));
      free(workflowIds.length - leases.length);
    });
    this.track(claiming.catch((error) => (this.report(error), free(workflowIds.length))));
  }
}

function count(ends: RunEnd[]): SweepResult {
  const of = (end: RunEnd) => ends.filter((it) => it === end).length;
  return { claimed: ends.length, finished: of("finished"), suspended: of("suspended") };
}
