/**
 * One run of one claimed workflow: replay, live operations, suspend, hand over, end.
 *
 * @module
 */

import { nextTask, StoreTime } from "./clock.ts";
import { CancelWatch } from "./cancel_watch.ts";
import { type Body, Commits, type CommitsOptions } from "./commits.ts";
import { Context } from "./context.ts";
import type { OperationResult, Outcome, Transition } from "./driver.ts";
import { ContextError, LeaseLostError, NonDeterminismError, quote, WorkflowCancelledError } from "./errors.ts";
import { type Difference, Journal, type Recorded } from "./journal.ts";
import type { Begin, OperationSpec } from "./operation_spec.ts";
import { OpenWaits } from "./open_waits.ts";
import { currentStep } from "./step.ts";
import type { Lease, RunEnd, RunHost } from "./run_host.ts";
import type { Workflow } from "./workflow.ts";

/** How many operations that come too late are rejected. */
const MOST_REFUSALS = 1_000;

/** One run. */
export class Run {
  /** The workflow's ID. */
  readonly workflowId: string;
  /** When the workflow was created; with the ID it names this workflow and none that is created after a purge. */
  readonly createdAt: number;
  /** The store's time, as well as this isolate knows it. */
  readonly storeTime: StoreTime;
  readonly host: RunHost;
  readonly commits: Commits;
  readonly #workflow: Workflow<unknown, unknown>;
  readonly #input: string;
  readonly #journal: Journal;
  readonly #waits: OpenWaits;
  readonly #cancels: CancelWatch;
  readonly #aborting = new AbortController();
  readonly #stopping = new AbortController();
  readonly #startedAt: number;
  #settle!: (end: RunEnd) => void;
  readonly #ended: Promise<RunEnd> = new Promise((resolve) => this.#settle = resolve);
  /** Operations whose entries may be on a page of the journal that is being read. */
  readonly #asking = new Set<Promise<void>>();
  /** Operations under way that are no open waits. */
  #busy = 0;
  /** Operations left to the next run. */
  #parked = 0;
  #progress = false;
  #suspending = false;
  #stopIdleTimer: (() => void) | undefined;
  /** Is told when the run only waits in memory, and when it goes on. */
  readonly #onWaiting: (waiting: boolean) => void;
  #stopBudgetTimer: () => void = () => {};
  /** Set when nothing new may begin: what an operation that comes too late gets. `null`: never an answer, since the code is abandoned. */
  #over: { error: Error | null } | undefined;
  #gone: "lost" | "cancelled" | undefined;
  #codeDone = false;
  #refused = 0;

  constructor(host: RunHost, workflow: Workflow<unknown, unknown>, lease: Lease, onWaiting: (waiting: boolean) => void = () => {}) {
    const { workflowId, createdAt, input } = lease.workflow;
    this.host = host;
    this.#onWaiting = onWaiting;
    this.workflowId = workflowId;
    this.createdAt = createdAt;
    this.#workflow = workflow;
    this.#input = input;
    this.#startedAt = host.clock.now();
    this.storeTime = new StoreTime(host.clock, lease.now);
    const load = (after: number) => host.driver.readJournal({ workflowId, after, limit: 1_000 });
    this.#journal = new Journal(lease, load, () => this.update());
    this.commits = new Commits({
      driver: host.driver,
      clock: host.clock,
      workflowId,
      epoch: lease.epoch,
      owner: lease.owner,
      leaseMs: host.leaseMs,
      onCommit: (result) => this.#onCommit(result),
      onGone: (state) => this.#onGone(state),
      onFailure: (error) => this.#fail(error),
    });
    this.#waits = new OpenWaits(host, workflowId, this.commits);
    this.#cancels = new CancelWatch(host, workflowId, () => void this.commits.look());
  }

  /** Aborts when the workflow is cancelled or this run loses its lease. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Aborts when nothing that this run still does counts any more, also at its end. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** What an operation gets that comes after the run is over; `undefined` while it is not. */
  get over(): { error: Error | null } | undefined {
    if (this.#over || !this.#codeDone) return this.#over;
    return { error: new ContextError(`Calling an operation of workflow ${quote(this.workflowId)} after its code has returned`) };
  }

  /** Runs the workflow's code. Settles when nothing is left to do here; never rejects. */
  execute(): Promise<RunEnd> {
    const { budgetMs, clock } = this.host;
    if (budgetMs < Infinity) this.#stopBudgetTimer = clock.after(budgetMs, () => this.update());
    const code = async () => await this.#workflow.run(new Context(this), this.host.values.decode(this.#input));
    code().then((value) => this.#finish(() => this.#success(value)), (error) => this.#finish(() => this.#failure(error)));
    return this.#ended;
  }

  /** Suspends now, if it only waits. */
  suspend(): void {
    if (this.#isIdle()) void this.#letGo();
  }

  /** Hands over without waiting for what is under way: steps are aborted, and run again in the next run. */
  leave(): void {
    if (this.#gone) return this.#settle(this.#gone);
    if (this.#over) return;
    this.#abandon();
    this.commits.drop();
    void this.#handOver();
  }

  /**
   * Carries out an operation of the workflow's code, or answers it from the journal.
   *
   * What `describe` throws is the operation's error: a name, a duration or an option that is not legal, or a call from inside a step. It
   * takes no position and is not recorded, since it depends on the arguments alone. Every later refusal, as of a schema, has its position and is recorded.
   */
  operate<T>(describe: () => OperationSpec<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      const spec = describe();
      if (currentStep.get() === this) {
        throw new ContextError(`Calling ${spec.label} inside a step: call it in the workflow, or use the step's own context`);
      }
      if (this.over) return this.#refuse(this.over.error, reject);
      const settle = (outcome: Outcome) => {
        try {
          resolve(this.#read(spec, outcome));
        } catch (error) {
          reject(error);
        }
      };
      const position = this.#journal.take({ label: spec.label, settle, reject });
      const recorded = this.#journal.ask(position, spec.label);
      if (recorded instanceof Promise) {
        // The code may change its values before the page is there.
        const begin = taken(spec);
        this.#ask(recorded.then((found) => this.#begin(position, spec, begin, found)));
      } else {
        this.#begin(position, spec, (it) => spec.take()(it), recorded);
      }
    });
    // Code that does not await an operation must not end the process with it.
    promise.catch(() => {});
    return promise;
  }

  #read<T>(spec: OperationSpec<T>, outcome: Outcome): T {
    if (outcome.tag === "error" && !spec.readsErrors) throw this.host.values.decode(outcome.value!);
    return spec.read(outcome);
  }

  #ask(begun: Promise<void>): void {
    const asking = begun.catch((error) => this.#fail(error)).finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  /**
   * Rejects an operation that comes too late, and not at once: a loop that swallows errors would never let another task run. One that goes on all
   * the same gets no answer any more.
   */
  #refuse(error: Error | null, reject: (error: Error) => void): void {
    this.#refused++;
    if (error && this.#refused <= MOST_REFUSALS) return void nextTask().then(() => reject(error));
    if (this.#gone) this.#settle(this.#gone);
  }

  #begin(position: number, spec: OperationSpec<unknown>, begin: Begin, recorded: Recorded | Difference): void {
    if (this.#over) return;
    if (typeof recorded === "object") return this.#diverge(recorded);
    if (recorded === "complete") return;
    if (this.#handingOver()) {
      this.#parked++;
      return this.update();
    }
    this.#busy++;
    this.update();
    const push = (body: Body | Promise<Body>) =>
      this.commits.push({ position, label: spec.label, body, onResult: this.#resultHandler(position) });
    const body = this.#bodyOf(begin, position);
    if (!spec.takesTime) return push(body);
    this.#cancels.begin();
    void Promise.resolve(body).then((done) => {
      this.#cancels.end();
      // What a step throws when its run is over is not what it came to.
      if (!this.#over) push(done);
    });
  }

  /** What an operation does. A refusal takes its place and is recorded, so that a replay refuses too, whatever a schema or a limit says by then. */
  #bodyOf(begin: Begin, position: number): Body | Promise<Body> {
    const refusal = (error: unknown): Body => ({ type: "record", outcome: { tag: "error", value: this.host.values.encodeError(error) } });
    try {
      const body = begin(position);
      return body instanceof Promise ? body.catch(refusal) : body;
    } catch (error) {
      return refusal(error);
    }
  }

  #resultHandler(position: number): (result: OperationResult) => void {
    let open = false;
    return (result) => {
      if (!open) this.#busy--;
      if ("outcome" in result) {
        this.#progress = true;
        this.#waits.ended(position);
        return this.#journal.add(position, result.outcome);
      }
      if ("remainingMs" in result) this.#waits.looked(position, result.remainingMs);
      if (!open) {
        open = true;
        this.update();
      }
    };
  }

  /** Whether what begins now is left to the next run. Without progress of its own a run would hand over for ever. */
  #handingOver(): boolean {
    return this.host.closing || (this.#progress && this.#isSpent());
  }

  /** Whether this run has gone on for as long as it may, or has no more requests to make. */
  #isSpent(): boolean {
    return this.host.spent.aborted || this.host.clock.now() - this.#startedAt >= this.host.budgetMs;
  }

  /** Nothing is under way but open waits, and operations that wait for their turn. */
  #isIdle(): boolean {
    return !this.#over && this.#busy + this.#asking.size === 0 && !this.#journal.delivering && this.#journal.calls.size > 0;
  }

  /** Decides what the run does next. Called whenever something changed. */
  update(): void {
    if (this.#over) return;
    if (!this.#isIdle()) {
      this.#stopIdleTimer?.();
      this.#stopIdleTimer = undefined;
      this.#onWaiting(false);
    } else if (this.#handingOver() || this.#isSpent() || this.host.hotWaitMs === 0) {
      void this.#letGo();
    } else {
      this.#stopIdleTimer ??= this.host.clock.after(this.host.hotWaitMs, () => void this.#letGo());
      this.#onWaiting(true);
    }
  }

  /** Suspends, or yields if there is something that the next run can do at once. */
  async #letGo(): Promise<void> {
    if (this.#suspending) return;
    this.#suspending = true;
    try {
      const difference = await this.#journal.firstUnasked("a wait");
      if (!this.#isIdle()) return;
      if (difference) return this.#diverge(difference);
      const transition: Transition = { to: this.#parked > 0 ? "yield" : "suspend" };
      // Meanwhile the budget may have run out, and something may have been left to the next run.
      const stillRight = () => this.#isIdle() && (transition.to === "yield") === (this.#parked > 0);
      if (!await this.commits.release(transition, stillRight)) return;
      this.#abandon();
      if (transition.to === "yield") this.host.wake([this.workflowId]);
      else this.#tellDeadline();
      this.#settle(transition.to === "yield" ? "yielded" : "suspended");
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#suspending = false;
      this.#stopIdleTimer?.();
      this.#stopIdleTimer = undefined;
      this.update();
    }
  }

  #tellDeadline(): void {
    const { remainingMs } = this.#waits;
    if (remainingMs < Infinity) this.host.dueIn(this.workflowId, remainingMs);
  }

  #onCommit({ now, woken, touched }: Parameters<CommitsOptions["onCommit"]>[0]): void {
    this.storeTime.set(now);
    this.host.hints.notify(touched);
    if (woken.length > 0) this.host.wake(woken);
  }

  /** The code has returned or thrown, or cannot go on: writes how the workflow ended. */
  async #finish(end: () => Transition): Promise<void> {
    this.#codeDone = true;
    while (this.#asking.size > 0) await Promise.all(this.#asking);
    if (this.#gone) return this.#settle(this.#gone);
    if (this.#over) return;
    if (this.#parked > 0) return await this.#yield();
    this.#stop(this.over!);
    try {
      const difference = await this.#journal.firstUnasked("the end of the workflow");
      const transition = difference ? this.#failure(new NonDeterminismError(this.workflowId, difference)) : end();
      if (await this.commits.release(transition)) this.#settle("finished");
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The code has returned without waiting for operations that were left to the next run: that run will end the workflow. */
  async #yield(): Promise<void> {
    this.#abandon();
    await this.#handOver();
  }

  async #handOver(): Promise<void> {
    if (!await this.commits.release({ to: "yield" })) return;
    this.host.wake([this.workflowId]);
    this.#settle("yielded");
  }

  /** The code does not do what the journal says: it is abandoned where it is. */
  #diverge(difference: Difference): void {
    this.#abandon();
    this.commits.drop();
    const error = new NonDeterminismError(this.workflowId, difference);
    this.commits.release(this.#failure(error)).then((released) => released && this.#settle("finished"));
  }

  #success(value: unknown): Transition {
    try {
      return { to: "end", status: "SUCCESS", output: this.host.values.encode(value, "workflow's output"), error: null };
    } catch (error) {
      return this.#failure(error);
    }
  }

  #failure(error: unknown): Transition {
    return { to: "end", status: "ERROR", output: null, error: this.host.values.encodeError(error) };
  }

  /** Another run has the workflow, or it was cancelled: nothing of this one counts any more. */
  #onGone(state: "lost" | "cancelled"): void {
    const error = state === "lost" ? new LeaseLostError(this.workflowId) : new WorkflowCancelledError(this.workflowId);
    this.#gone = state;
    const abandoned = this.#over?.error === null;
    this.#stop({ error });
    this.#aborting.abort(error);
    this.#journal.failAll(error);
    if (this.#codeDone || abandoned) return this.#settle(state);
    // The code may clean up. What hangs in something that is no operation is not waited for.
    const stopTimer = this.host.clock.after(this.host.leaseMs, () => this.#settle(state));
    void this.#ended.then(stopTimer);
  }

  /** The store does not answer. The code must not act on that, since a replay would not; so it gets no answer at all. */
  #fail(error: unknown): void {
    if (this.#over?.error === null) return;
    this.#abandon();
    this.commits.close();
    this.#aborting.abort(error);
    this.host.report(error);
    this.#settle("failed");
  }

  /** No operation gets an answer from now on. The code and all that it holds is left to the garbage collector. */
  #abandon(): void {
    this.#stop({ error: null });
  }

  #stop(over: { error: Error | null }): void {
    this.#over = over;
    this.#waits.stop();
    this.#cancels.stop();
    this.#stopIdleTimer?.();
    this.#stopBudgetTimer();
    this.#stopping.abort(over.error ?? new ContextError(`Workflow ${quote(this.workflowId)} does not run here any more`));
  }
}

/** Takes an operation's values now; what that throws is the refusal, when the operation begins. */
function taken(spec: OperationSpec<unknown>): Begin {
  try {
    return spec.take();
  } catch (error) {
    return () => Promise.reject(error);
  }
}
