/**
 * One run of a claimed workflow: replay, live operations, and a release of the workflow.
 *
 * @module
 */

import { Calls } from "./calls.ts";
import { CancelWatch } from "./waits/cancel_watch.ts";
import { StoreTime } from "../time/clock.ts";
import { Commits, type CommitsOptions } from "./journal/commits.ts";
import type { Transition, WorkflowRecord } from "../driver/driver.ts";
import { ContextError, LeaseLostError, NonDeterminismError, quote, WorkflowCancelledError } from "../errors.ts";
import { type Difference, Journal } from "./journal/journal.ts";
import type { OperationRequest } from "./journal/operation.ts";
import { LazyAbort } from "../time/lazy_abort.ts";
import { LocalEvents } from "../read/local_events.ts";
import { toFailure, toSuccess } from "./ending.ts";
import { OpenWaits } from "./waits/open_waits.ts";
import { toPark, Undecodable } from "./parking.ts";
import type { PauseOptions } from "./waits/pause.ts";
import { RunTime } from "./run_time.ts";
import { currentStep } from "./step_scope.ts";
import type { ClaimedRun, RunHost } from "./host.ts";
import type { RunObservation } from "../observe/run_observation.ts";
import type { RunEnd } from "../observer.ts";
import { tolerate, tolerated } from "./tolerate.ts";

/** The workflow's code. It gets the input, and calls the operations of the run. */
export type Code = (run: Run, input: unknown) => unknown;

/** One run. */
export class Run {
  /** The workflow's ID. */
  readonly workflowId: string;
  /**
   * Identifies the journal, even if the ID is used again after a purge, the workflow was continued
   * as new, or a resume has dropped entries.
   */
  readonly journalId: readonly unknown[];
  /** The store's time, as far as this isolate knows it. */
  readonly storeTime: StoreTime;
  readonly host: RunHost;
  /** Tells the observer, if there is one. */
  readonly observed: RunObservation | undefined;
  readonly commits: Commits;
  readonly #code: Code;
  readonly #record: WorkflowRecord;
  readonly #journal: Journal;
  readonly #waits: OpenWaits;
  readonly #cancels: CancelWatch;
  readonly #aborting = new LazyAbort();
  readonly #stopping = new LazyAbort();
  readonly #time: RunTime;
  #settle!: (end: RunEnd) => void;
  readonly #ended: Promise<RunEnd> = new Promise((resolve) => this.#settle = resolve);
  readonly #calls: Calls;
  #suspending = false;
  /** The operation whose error ends the workflow. */
  #failed: WorkflowRecord["failed"] = null;
  /** Called with `true` when the run begins to wait in memory, with `false` when it continues. */
  readonly #onWaiting: (waiting: boolean) => void;
  /**
   * Set when no operation may begin any more. Later operations reject with the error. If the error
   * is `null`, the code is abandoned and later operations get no answer.
   */
  #over: { error: Error | null } | undefined;
  #gone: "lost" | "cancelled" | undefined;
  #codeDone = false;

  constructor(
    host: RunHost,
    code: Code,
    claimed: ClaimedRun,
    onWaiting: (waiting: boolean) => void = () => {},
    observed?: RunObservation,
  ) {
    const { workflowId, createdAt, generation, rewinds } = claimed.workflow;
    this.host = host;
    this.observed = observed;
    this.#onWaiting = onWaiting;
    this.workflowId = workflowId;
    this.journalId = [workflowId, createdAt, generation, rewinds];
    this.#code = code;
    this.#record = claimed.workflow;
    this.storeTime = new StoreTime(host.clock, claimed.now);
    const load = (after: number) => host.driver.readJournal({ workflowId, after, limit: 1_000 });
    this.#journal = new Journal(claimed, load, () => this.#delivered());
    this.#time = new RunTime(host, this.#journal, () => this.#calls.progress);
    this.commits = new Commits({
      driver: host.driver,
      clock: host.clock,
      workflowId,
      epoch: claimed.epoch,
      owner: claimed.owner,
      leaseMs: host.leaseMs,
      streams: host.tails.begin(workflowId, claimed.epoch),
      events: new LocalEvents(claimed.epoch, host.looks),
      onWait: () => this.#waits.listen(),
      onCommit: (result) => this.#onCommit(result),
      observed,
      onEnding: (end) => {
        observed?.ending(end.status);
        return host.ending(workflowId, end, this.#failed);
      },
      onGone: (state) => this.#onGone(state),
      onFailure: (error) => this.#fail(error),
    });
    this.#waits = new OpenWaits(host, workflowId, this.commits);
    this.#cancels = new CancelWatch(host, workflowId, () => void this.commits.look());
    this.#calls = new Calls({
      host,
      observed,
      journal: this.#journal,
      commits: this.commits,
      waits: this.#waits,
      cancels: this.#cancels,
      over: () => this.over,
      isOver: () => this.#over !== undefined,
      isInStep: () => currentStep.get() === this,
      isHandingOver: () => this.#time.isHandingOver,
      isReleasing: () => this.#suspending,
      update: () => this.update(),
      decode: (text) => this.decode(text),
      diverge: (difference) => this.#diverge(difference),
      park: (problem) => this.#park(problem),
      fail: (error) => this.#failReading(error),
      giveUp: () => this.#gone && this.#settle(this.#gone),
    });
  }

  /** Aborts when the workflow is cancelled, this run loses its lease, or the store fails. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /**
   * Aborts once nothing that this run writes can take effect. That is at the latest when the run
   * ends.
   */
  get stopping(): LazyAbort {
    return this.#stopping;
  }

  /** What a late operation gets; `undefined` while operations may still be called. */
  get over(): { error: Error | null } | undefined {
    if (this.#over || !this.#codeDone) return this.#over;
    return tolerated(() =>
      new ContextError(`Calling an operation of workflow ${quote(this.workflowId)} after its code has returned`)
    );
  }

  /** Runs the workflow's code. Settles when nothing is left to do here, and never rejects. */
  execute(): Promise<RunEnd> {
    this.#time.begin(() => this.update());
    const returned = async () => await this.#code(this, this.decode(this.#record.input));
    (this.observed ? this.observed.within(returned) : returned()).then(
      (value) => this.#finish(() => toSuccess(this.host.values, value, (error) => this.#failure(error))),
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

  /** Suspends at once if the run only waits. */
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

  /**
   * Ends the run, and starts the workflow again with another input. The code gets no answer.
   *
   * @param take Takes the caller's input before the call returns.
   * @throws {ContextError} In a step, or after the code has returned.
   */
  async continueAsNew(take: () => () => string | Promise<string>): Promise<never> {
    if (currentStep.get() === this) {
      throw new ContextError("Calling continueAsNew inside a step: call it in the workflow");
    }
    if (this.over?.error) throw this.over.error;
    const input = await take()();
    void this.#finish(() => ({ to: "continueAsNew", input }));
    return await new Promise<never>(() => {});
  }

  /** Waits between two tries of a step. See {@linkcode Calls.pause}. */
  pause(options: PauseOptions): Promise<void> {
    return this.#calls.pause(options);
  }

  /** Whether the run is not over and only waits. See {@linkcode Calls.areWaiting}. */
  #isIdle(): boolean {
    return !this.#over && this.#calls.areWaiting;
  }

  /** Decides what the run does next. Called after every change. */
  update(): void {
    if (this.#over) return;
    if (!this.#isIdle()) {
      this.#time.goOn();
      return this.#onWaiting(false);
    }
    const idleMs = this.#time.idleMs();
    if (idleMs <= 0) return void this.#letGo();
    this.#time.idle(idleMs, () => void this.#letGo());
    this.#onWaiting(true);
  }

  /** Called when nothing is left to deliver for the moment. The code may have continued. */
  #delivered(): void {
    this.#time.delivered();
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
        // If the run is handing over, its code may have had no time to call the operation.
        if (this.#time.isHandingOver) await this.#yield();
        else if (this.#time.idleMs() <= 0) this.#diverge(difference);
        return;
      }
      const transition: Transition = { to: this.#calls.areLeftOver ? "yield" : "suspend" };
      // Until the commit is sent, the budget may run out, and operations may be left to the next
      // run.
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
      this.#time.stopIdle();
      this.#calls.resume();
      this.update();
    }
  }

  #onCommit({ now, woken, touched }: Parameters<CommitsOptions["onCommit"]>[0]): void {
    this.storeTime.set(now);
    this.host.hints.notify(touched);
    if (woken.length > 0) this.host.wake(woken);
  }

  /** Writes how the workflow ended or continues, after its code has returned, thrown or said so. */
  async #finish(end: () => Transition): Promise<void> {
    if (this.#codeDone) return;
    this.#codeDone = true;
    await this.#calls.asked();
    if (this.#gone) return this.#settle(this.#gone);
    if (this.#over) return;
    if (this.#calls.areLeftOver) return await this.#yield();
    this.#stop(this.over!);
    try {
      const difference = await this.#journal.firstUnasked("the end of the workflow");
      if (difference) return this.#diverge(difference);
      const transition = end();
      if (!await this.commits.release(transition)) return;
      if (transition.to === "continueAsNew") this.host.wake([this.workflowId]);
      this.#settle(transition.to === "continueAsNew" ? "yielded" : "finished");
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Abandons the code and hands over. If the code has already returned, it did not await the
   * operations that are left to the next run.
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
   * Abandons code that does not fit the stored data, and drops the operations that it has queued. A
   * deploy is to blame and not the workflow, so the workflow waits for code that fits.
   */
  async #park(problem: unknown): Promise<void> {
    if (this.#gone || this.#over?.error === null) return;
    this.#abandon();
    this.observed?.failing(problem);
    this.commits.drop();
    const { transition, isNew } = toPark(this.host.values, problem, this.#record);
    if (!await this.commits.release(transition)) return;
    if (isNew) this.host.report(problem);
    this.host.dueIn(this.workflowId, transition.delayMs);
    this.#settle("parked");
  }

  #failure(error: unknown): Transition {
    this.observed?.failing(error);
    this.#failed = this.#calls.failedWith(error) ?? null;
    return toFailure(this.host.values, error, this.#failed?.position);
  }

  /**
   * Ends the run because it has lost the lease, or because the workflow was cancelled. From now on,
   * the store refuses everything that this run writes.
   */
  #onGone(state: "lost" | "cancelled"): void {
    const error = tolerate(
      state === "lost" ? new LeaseLostError(this.workflowId) : new WorkflowCancelledError(this.workflowId),
    );
    this.#gone = state;
    this.host.hints.notify([`result:${this.workflowId}`]);
    const abandoned = this.#over?.error === null;
    this.#stop({ error });
    this.#aborting.abort(() => error);
    this.#journal.failAll(error);
    if (this.#codeDone || abandoned) return this.#settle(state);
    // The code may clean up. Since it may hang outside of operations, it gets no more time than the
    // length of a lease.
    const stopTimer = this.host.clock.after(this.host.leaseMs, () => this.#settle(state));
    void this.#ended.then(stopTimer);
  }

  /**
   * Ends the run because the store has failed. The code gets no answer at all, because it must not
   * act on a failure that a replay does not see.
   */
  #fail(error: unknown): void {
    this.#abandon();
    this.observed?.failing(error);
    this.commits.close();
    this.host.hints.notify([`result:${this.workflowId}`]);
    this.#aborting.abort(() => error);
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
    this.#time.stop();
    const gone = () => new ContextError(`Workflow ${quote(this.workflowId)} does not run here any more`);
    this.#stopping.abort(() => over.error ?? tolerate(gone()));
  }
}
