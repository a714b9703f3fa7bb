/**
 * One run of a claimed workflow: replay, live operations, and then a suspend, a hand-over or the
 * end.
 *
 * @module
 */

import { Calls } from "./calls.ts";
import { CancelWatch } from "./cancel_watch.ts";
import { StoreTime } from "../time/clock.ts";
import { Commits, type CommitsOptions } from "./commits.ts";
import type { Transition, WorkflowRecord } from "../driver/driver.ts";
import { ContextError, LeaseLostError, NonDeterminismError, quote, WorkflowCancelledError } from "../errors.ts";
import { type Difference, Journal } from "./journal.ts";
import type { OperationRequest } from "./operation.ts";
import { OpenWaits } from "./open_waits.ts";
import { MAX_REST_MS, toPark, Undecodable } from "./parking.ts";
import type { PauseOptions } from "./pause.ts";
import { currentStep } from "./step_scope.ts";
import type { ClaimedRun, RunEnd, RunHost } from "./host.ts";
import { tolerate } from "./tolerate.ts";

/** The workflow's code. It gets the input, and calls the operations of the run. */
export type Code = (run: Run, input: unknown) => unknown;

/** One run. */
export class Run {
  /** The workflow's ID. */
  readonly workflowId: string;
  /**
   * When the workflow was created. Together with the ID this identifies the workflow, also if the
   * ID is used again after a purge.
   */
  readonly createdAt: number;
  /** The store's time, as far as this isolate knows it. */
  readonly storeTime: StoreTime;
  readonly host: RunHost;
  readonly commits: Commits;
  readonly #code: Code;
  readonly #record: WorkflowRecord;
  readonly #journal: Journal;
  readonly #waits: OpenWaits;
  readonly #cancels: CancelWatch;
  readonly #aborting = new AbortController();
  readonly #stopping = new AbortController();
  readonly #startedAt: number;
  #settle!: (end: RunEnd) => void;
  readonly #ended: Promise<RunEnd> = new Promise((resolve) => this.#settle = resolve);
  readonly #calls: Calls;
  #suspending = false;
  #stopIdleTimer: (() => void) | undefined;
  /** The time since which the code rests in the middle of its replay. */
  #restingSince: number | undefined;
  /** Called when the run begins to wait in memory only, and when it continues. */
  readonly #onWaiting: (waiting: boolean) => void;
  #stopBudgetTimer: () => void = () => {};
  /**
   * Set when no new operation may begin. Later operations get its error, or no answer at all if it
   * is `null` because the code is abandoned.
   */
  #over: { error: Error | null } | undefined;
  #gone: "lost" | "cancelled" | undefined;
  #codeDone = false;

  constructor(host: RunHost, code: Code, claimed: ClaimedRun, onWaiting: (waiting: boolean) => void = () => {}) {
    const { workflowId, createdAt } = claimed.workflow;
    this.host = host;
    this.#onWaiting = onWaiting;
    this.workflowId = workflowId;
    this.createdAt = createdAt;
    this.#code = code;
    this.#record = claimed.workflow;
    this.#startedAt = host.clock.now();
    this.storeTime = new StoreTime(host.clock, claimed.now);
    const load = (after: number) => host.driver.readJournal({ workflowId, after, limit: 1_000 });
    this.#journal = new Journal(claimed, load, () => this.#delivered());
    this.commits = new Commits({
      driver: host.driver,
      clock: host.clock,
      workflowId,
      epoch: claimed.epoch,
      owner: claimed.owner,
      leaseMs: host.leaseMs,
      onCommit: (result) => this.#onCommit(result),
      onGone: (state) => this.#onGone(state),
      onFailure: (error) => this.#fail(error),
    });
    this.#waits = new OpenWaits(host, workflowId, this.commits);
    this.#cancels = new CancelWatch(host, workflowId, () => void this.commits.look());
    this.#calls = new Calls({
      host,
      journal: this.#journal,
      commits: this.commits,
      waits: this.#waits,
      cancels: this.#cancels,
      over: () => this.over,
      isOver: () => this.#over !== undefined,
      isInStep: () => currentStep.get() === this,
      isHandingOver: () => this.#isHandingOver(),
      isReleasing: () => this.#suspending,
      update: () => this.update(),
      decode: (text) => this.decode(text),
      diverge: (difference) => this.#diverge(difference),
      park: (problem) => this.#park(problem),
      fail: (error) => this.#failReading(error),
      giveUp: () => this.#gone && this.#settle(this.#gone),
    });
  }

  /** Aborts when the workflow is cancelled or this run loses its lease. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Aborts when nothing that this run still does has an effect any more, also at its end. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The end of the run for later operations; `undefined` while it is not over. */
  get over(): { error: Error | null } | undefined {
    if (this.#over || !this.#codeDone) return this.#over;
    return {
      error: tolerate(
        new ContextError(`Calling an operation of workflow ${quote(this.workflowId)} after its code has returned`),
      ),
    };
  }

  /**
   * Runs the workflow's code. The promise settles when nothing is left to do here, and never
   * rejects.
   */
  execute(): Promise<RunEnd> {
    const { budgetMs, clock } = this.host;
    if (budgetMs < Infinity) this.#stopBudgetTimer = clock.after(budgetMs, () => this.update());
    const returned = async () => await this.#code(this, this.decode(this.#record.input));
    returned().then(
      (value) => this.#finish(() => this.#success(value)),
      (error) => Undecodable.is(error) ? this.#park(error.error) : this.#finish(() => this.#failure(error)),
    );
    return this.#ended;
  }

  /**
   * Decodes a stored text.
   *
   * @throws {Undecodable} If it cannot be decoded here.
   */
  decode(text: string): unknown {
    try {
      return this.host.values.decode(text);
    } catch (error) {
      throw new Undecodable(error);
    }
  }

  /** Suspends now, if it only waits. */
  suspend(): void {
    if (this.#isIdle() && !this.#journal.hasUnasked) void this.#letGo();
  }

  /**
   * Hands over without waiting for operations under way. Steps are aborted, and run again in the
   * next run.
   */
  leave(): void {
    if (this.#gone) return this.#settle(this.#gone);
    if (this.#over) return;
    this.#abandon();
    this.commits.drop();
    void this.#handOver();
  }

  /** Carries out an operation of the workflow's code. See {@linkcode Calls.call}. */
  operate<T>(describe: () => OperationRequest<T>): Promise<T> {
    return this.#calls.call(describe);
  }

  /** Waits between two tries of a step. See {@linkcode Calls.pause}. */
  pause(options: PauseOptions): Promise<void> {
    return this.#calls.pause(options);
  }

  /**
   * Whether new operations are left to the next run. A run that made no progress would hand over
   * forever, so it begins at least one.
   */
  #isHandingOver(): boolean {
    return this.host.closed.aborted || (this.#calls.progress && this.#isSpent());
  }

  /** Whether the run has used up its time, or the isolate its requests. */
  #isSpent(): boolean {
    return this.host.spent.aborted || this.host.clock.now() - this.#startedAt >= this.host.budgetMs;
  }

  /** Whether only open waits are under way, and operations that wait for their turn. */
  #isIdle(): boolean {
    return !this.#over && this.#calls.areWaiting;
  }

  /** Decides what the run does next. Called after every change. */
  update(): void {
    if (this.#over) return;
    if (!this.#isIdle()) {
      this.#goOn();
      return this.#onWaiting(false);
    }
    const idleMs = this.#idleMs();
    if (idleMs <= 0) return void this.#letGo();
    this.#stopIdleTimer ??= this.host.clock.after(idleMs, () => void this.#letGo());
    this.#onWaiting(true);
  }

  /**
   * How long a run that only waits stays in memory. Before it has asked for everything that is
   * recorded, its code may await something that is no operation.
   */
  #idleMs(): number {
    if (this.#isHandingOver()) return 0;
    if (!this.#journal.hasUnasked) return this.#isSpent() ? 0 : this.host.hotWaitMs;
    const now = this.host.clock.now();
    this.#restingSince ??= now;
    return this.#restingSince + Math.max(MAX_REST_MS, this.host.hotWaitMs) - now;
  }

  #goOn(): void {
    this.#stopIdleTimer?.();
    this.#stopIdleTimer = undefined;
    this.#restingSince = undefined;
  }

  /** The code has got everything that was there for it, and may continue. */
  #delivered(): void {
    if (this.#restingSince !== undefined) this.#goOn();
    this.update();
  }

  /** Suspends, or yields if the next run can do something at once. */
  async #letGo(): Promise<void> {
    if (this.#suspending) return;
    this.#suspending = true;
    try {
      const difference = await this.#journal.firstUnasked("a wait");
      if (!this.#isIdle()) return;
      if (difference) {
        // A run that is cut short says nothing about its code.
        if (this.#isHandingOver()) await this.#yield();
        else if (this.#idleMs() <= 0) this.#diverge(difference);
        return;
      }
      const transition: Transition = { to: this.#calls.areLeftOver ? "yield" : "suspend" };
      // Meanwhile the budget may have run out, and operations may have been left to the next run.
      const stillRight = () => this.#isIdle() && (transition.to === "yield") === this.#calls.areLeftOver;
      if (!await this.commits.release(transition, stillRight)) return;
      const { remainingMs } = this.#calls;
      this.#abandon();
      if (transition.to === "yield") this.host.wake([this.workflowId]);
      else if (remainingMs < Infinity) this.host.dueIn(this.workflowId, remainingMs);
      this.#settle(transition.to === "yield" ? "yielded" : "suspended");
    } catch (error) {
      this.#failReading(error);
    } finally {
      this.#suspending = false;
      this.#stopIdleTimer?.();
      this.#stopIdleTimer = undefined;
      this.#calls.resume();
      this.update();
    }
  }

  #onCommit({ now, woken, touched }: Parameters<CommitsOptions["onCommit"]>[0]): void {
    this.storeTime.set(now);
    this.host.hints.notify(touched);
    if (woken.length > 0) this.host.wake(woken);
  }

  /**
   * Writes how the workflow ended, after its code has returned, thrown or become unable to
   * continue.
   */
  async #finish(end: () => Transition): Promise<void> {
    this.#codeDone = true;
    await this.#calls.asked();
    if (this.#gone) return this.#settle(this.#gone);
    if (this.#over) return;
    if (this.#calls.areLeftOver) return await this.#yield();
    this.#stop(this.over!);
    try {
      const difference = await this.#journal.firstUnasked("the end of the workflow");
      if (difference) return this.#diverge(difference);
      if (await this.commits.release(end())) this.#settle("finished");
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Lets the next run end the workflow, because the code returned without waiting for operations
   * that were left to that run.
   */
  async #yield(): Promise<void> {
    this.#abandon();
    await this.#handOver();
  }

  async #handOver(): Promise<void> {
    if (!await this.commits.release({ to: "yield" })) return;
    this.host.wake([this.workflowId]);
    this.#settle("yielded");
  }

  #diverge(difference: Difference): void {
    this.#park(new NonDeterminismError(this.workflowId, difference));
  }

  /**
   * Abandons code that does not fit the stored data, and writes nothing more of it. A deploy is to
   * blame and not the workflow, so the workflow waits for code that fits.
   */
  async #park(problem: unknown): Promise<void> {
    if (this.#gone || this.#over?.error === null) return;
    this.#abandon();
    this.commits.drop();
    const { transition, isNew } = toPark(this.host.values, problem, this.#record);
    if (!await this.commits.release(transition)) return;
    if (isNew) this.host.report(problem);
    this.host.dueIn(this.workflowId, transition.delayMs);
    this.#settle("parked");
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

  /**
   * Ends the run because another run has the workflow, or because it was cancelled. Nothing that
   * this run still does has an effect.
   */
  #onGone(state: "lost" | "cancelled"): void {
    const error = tolerate(
      state === "lost" ? new LeaseLostError(this.workflowId) : new WorkflowCancelledError(this.workflowId),
    );
    this.#gone = state;
    const abandoned = this.#over?.error === null;
    this.#stop({ error });
    this.#aborting.abort(error);
    this.#journal.failAll(error);
    if (this.#codeDone || abandoned) return this.#settle(state);
    // The code may clean up. The run does not wait for code that hangs outside of operations.
    const stopTimer = this.host.clock.after(this.host.leaseMs, () => this.#settle(state));
    void this.#ended.then(stopTimer);
  }

  /**
   * Ends the run because the store does not answer. The code must not act on that, since a replay
   * would not. So it gets no answer at all.
   */
  #fail(error: unknown): void {
    this.#abandon();
    this.commits.close();
    this.#aborting.abort(error);
    this.host.report(error);
    this.#settle("failed");
  }

  /** Ends the run because the journal cannot be read. A run that is over does not need it. */
  #failReading(error: unknown): void {
    if (!this.#over) this.#fail(error);
  }

  /** Stops answering operations. The garbage collector takes the code and everything that it holds. */
  #abandon(): void {
    this.#stop({ error: null });
    this.#journal.stop();
  }

  #stop(over: { error: Error | null }): void {
    this.#over = over;
    this.#waits.stop();
    this.#cancels.stop();
    this.#calls.stop();
    this.#stopIdleTimer?.();
    this.#stopBudgetTimer();
    this.#stopping.abort(
      over.error ?? tolerate(new ContextError(`Workflow ${quote(this.workflowId)} does not run here any more`)),
    );
  }
}
