/**
 * Handles the operations that a workflow's code calls. Each one is answered from the journal or
 * begun.
 *
 * @module
 */

import { nextTask } from "../time/clock.ts";
import {
  type Begin,
  type EffectOrWait,
  type OperationRequest,
  type PendingOperation,
  taken,
} from "./journal/operation.ts";
import { OperationResults } from "./journal/operation_results.ts";
import type { OpenEntry, Outcome } from "../driver/driver.ts";
import { ContextError } from "../errors.ts";
import type { CallsOptions } from "./calls_options.ts";
import type { Difference, Recorded } from "./journal/journal.ts";
import type { OperationObservation } from "../observe/run_observation.ts";
import { Pause, type PauseOptions } from "./waits/pause.ts";
import { Undecodable } from "./parking.ts";
import { unawaited } from "./tolerate.ts";
import { Withdrawals } from "./waits/withdrawals.ts";

/** How many late operations a run rejects before it stops answering. */
const MAX_REFUSALS = 1_000;

/** A call of the code. */
interface Call<T> {
  readonly request: OperationRequest<T>;
  /** Set if the code's values were taken already. */
  readonly begin?: Begin;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** The operations of one run. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #startedAt: number;
  /** Operations whose entries may be on a page of the journal that is being read. */
  readonly #asking = new Set<Promise<void>>();
  /**
   * Calls that wait for their positions, in order. They were made while the run reads the journal,
   * because only the journal tells whether an optional operation has the next position.
   */
  readonly #held: (() => void)[] = [];
  #isHolding = false;
  readonly #pauses = new Set<Pause>();
  readonly #withdrawals = new Withdrawals();
  /** The operations that have rejected with these errors. */
  readonly #errors = new WeakMap<object, { position: number; label: string }>();
  /** The number of operations under way, without the open waits. */
  #busy = 0;
  #leftOver = 0;
  #progress = false;
  #refused = 0;

  /**
   * @param options The run.
   */
  constructor(options: CallsOptions) {
    this.#options = options;
    this.#startedAt = options.host.clock.now();
  }

  /** Whether this run has recorded an outcome or a failed try. */
  get progress(): boolean {
    return this.#progress;
  }

  /** Whether operations are left to the next run. */
  get areLeftOver(): boolean {
    return this.#leftOver > 0;
  }

  /** The operation whose recorded error this is. */
  failedWith(error: unknown): { position: number; label: string } | undefined {
    return typeof error === "object" && error !== null ? this.#errors.get(error) : undefined;
  }

  /**
   * Whether the run only waits. If so, nothing is under way except open waits, and operations whose
   * recorded outcomes must wait for their turn.
   */
  get areWaiting(): boolean {
    const { journal } = this.#options;
    return this.#busy + this.#asking.size === 0 && !journal.delivering && journal.receivers.size > 0;
  }

  /** The time until the nearest deadline, in milliseconds; `Infinity` without one. */
  get remainingMs(): number {
    return Math.min(this.#options.waits.remainingMs, ...[...this.#pauses].map(({ remainingMs }) => remainingMs));
  }

  /**
   * Carries out an operation of the workflow's code, or answers it from the journal.
   *
   * `describe` throws for an illegal name, duration or option, and the operation then rejects with
   * that error. A call from inside a step rejects in the same way. Neither of these calls takes a
   * position. The error is not recorded, because a replay makes the same call and gets the same
   * error. Any later refusal, such as one by a schema, has a position and is recorded.
   */
  call<T>(describe: () => OperationRequest<T>): Promise<T> {
    const { isInStep } = this.#options;
    const promise = new Promise<T>((resolve, reject) => {
      const request = describe();
      if (isInStep()) {
        throw new ContextError(
          `Calling ${request.label} inside a step: call it in the workflow, or use the step's own context`,
        );
      }
      this.#start(request, resolve, reject);
    });
    return unawaited(promise);
  }

  #start<T>(request: OperationRequest<T>, resolve: (value: T) => void, reject: (error: unknown) => void): void {
    const end = this.#options.over();
    if (end) return this.#refuse(end.error, reject);
    if (!this.#isHolding) return this.#enter({ request, resolve, reject });
    // The code may change its values before the operation gets its position.
    const call = { request, begin: taken(request), resolve, reject };
    this.#held.push(() => this.#unlessOver(reject, () => this.#enter(call)));
  }

  /** Gives a call its position, unless its operation is optional and the journal has another one there. */
  #enter<T>(call: Call<T>): void {
    const { optional, label } = call.request;
    if (!optional) return this.#place(call);
    const decide = (isNext: boolean) => isNext ? this.#place(call) : call.resolve(optional.absent);
    const isNext = this.#options.journal.isNext(label);
    if (isNext instanceof Promise) {
      this.#hold(isNext.then((it) => this.#unlessOver(call.reject, () => decide(it))));
    } else {
      decide(isNext);
    }
  }

  /**
   * Holds the operations that are called from now on, until it is decided which one gets the next
   * position.
   */
  #hold(decided: Promise<void>): void {
    this.#isHolding = true;
    this.#ask(decided.catch(this.#options.fail).then(() => this.#enterHeld()));
  }

  #enterHeld(): void {
    this.#isHolding = false;
    // One of them may need the journal too. Then it holds those after it.
    while (this.#held.length > 0 && !this.#isHolding) this.#held.shift()!();
  }

  #unlessOver(reject: (error: unknown) => void, begin: () => void): void {
    const { isOver, over } = this.#options;
    if (isOver()) this.#refuse(over()!.error, reject);
    else begin();
  }

  #place<T>({ request, begin, resolve, reject }: Call<T>): void {
    const { journal } = this.#options;
    const settle = (outcome: Outcome) => this.#settle(request, position, outcome, resolve, reject);
    const position: number = journal.take({ settle, reject });
    const recorded = journal.ask(position, request.label);
    if (recorded instanceof Promise) {
      // The code may change its values before the page arrives.
      const later = begin ?? taken(request);
      this.#ask(recorded.then((found) => this.#begin(position, request, later, found)));
    } else {
      this.#begin(position, request, begin ?? ((...args) => request.take()(...args)), recorded);
    }
  }

  #settle<T>(
    request: OperationRequest<T>,
    position: number,
    outcome: Outcome,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void | Promise<void> {
    const { journal, park, fail } = this.#options;
    try {
      const next = request.follow?.(outcome, position);
      if (!next) return resolve(this.#read(request, outcome));
      const go = (label: string | undefined) => {
        // An operation that follows is recorded before any operation that the code calls later. So
        // if the next position has no entry but a later one does, nothing followed in an earlier
        // run.
        const isNew = label === undefined && !journal.hasLater;
        if (label === next.request.label || (isNew && next.isWanted)) this.#start(next.request, resolve, reject);
        else resolve(this.#read(request, outcome));
      };
      const label = journal.nextLabel();
      return label instanceof Promise ? label.then(go, fail) : go(label);
    } catch (error) {
      if (Undecodable.is(error)) return park(error.error);
      if (typeof error === "object" && error !== null) this.#errors.set(error, { position, label: request.label });
      reject(error);
    }
  }

  /**
   * Waits between two tries of a step. The promise settles when the next try begins. It never
   * settles if another run makes that try.
   */
  pause(options: PauseOptions): Promise<void> {
    const { host, commits, cancels, isReleasing, isHandingOver, update } = this.#options;
    return new Promise((resume) => {
      const pause = new Pause(options, {
        clock: host.clock,
        commits,
        isReleasing,
        onRecorded: () => this.#progress = true,
        onWait: () => {
          this.#busy--;
          cancels.end();
          update();
        },
        onEnd: (waited) => {
          this.#pauses.delete(pause);
          if (waited) {
            this.#busy++;
            cancels.begin();
          }
          if (!isHandingOver()) {
            resume();
          } else {
            this.#busy--;
            this.#leftOver++;
          }
          update();
        },
      });
      this.#pauses.add(pause);
      pause.begin();
    });
  }

  /** Ends the pauses that elapsed while the run tried to release its workflow. */
  resume(): void {
    for (const pause of this.#pauses) pause.resume();
  }

  /** Settles when the run knows for every operation whether the journal has its entry. */
  async asked(): Promise<void> {
    while (this.#asking.size > 0) await Promise.all(this.#asking);
  }

  /** Stops all timers. */
  stop(): void {
    for (const pause of this.#pauses) pause.stop();
    this.#pauses.clear();
    this.#withdrawals.stop();
  }

  #read<T>(request: OperationRequest<T>, outcome: Outcome): T {
    const { signal, readsErrors } = request;
    // On a replay too, the code has aborted its signal, and expects its own reason.
    if (outcome.tag === "withdrawn" && signal?.aborted) throw signal.reason;
    if (outcome.tag === "withdrawn" || (outcome.tag === "error" && !readsErrors)) {
      throw this.#options.decode(outcome.value!);
    }
    return request.read(outcome);
  }

  #ask(begun: Promise<void>): void {
    const asking = begun.catch((error) => this.#options.fail(error)).finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  /**
   * Rejects a late operation in a later task, because a loop that swallows errors would otherwise
   * block all other tasks. After `MAX_REFUSALS` rejections such a loop gets no more answers.
   */
  #refuse(error: Error | null, reject: (error: unknown) => void): void {
    this.#refused++;
    if (error && this.#refused <= MAX_REFUSALS) return void nextTask().then(() => reject(error));
    this.#options.giveUp();
  }

  #begin(position: number, request: OperationRequest<unknown>, begin: Begin, recorded: Recorded | Difference): void {
    const { isOver, diverge, isHandingOver, update, commits, journal, cancels, observed: run } = this.#options;
    if (isOver()) return;
    if (typeof recorded === "object") return diverge(recorded);
    if (recorded === "complete") return;
    if (isHandingOver()) {
      this.#leftOver++;
      return update();
    }
    this.#busy++;
    update();
    const begun = request.takesTime && { begunAt: this.#options.host.clock.now() };
    const open = journal.openAt(position);
    const observed = run?.operation(position, request, open !== undefined);
    const results = this.#resultsOf(position, observed);
    const push = (action: EffectOrWait | Promise<EffectOrWait>) => {
      const operation: PendingOperation = {
        position,
        label: request.recorded ?? request.label,
        ...begun,
        action,
        onResult: (result) => results.add(result),
      };
      commits.push(operation);
      if (request.signal && !request.signal.aborted) this.#withdrawOn(request.signal, operation, results);
    };
    const action = request.signal?.aborted
      ? this.#withdrawn(request.signal)
      : this.#actionOf(begin, position, open, observed);
    if (!request.takesTime) return push(action);
    cancels.begin();
    void Promise.resolve(action).then((done) => {
      cancels.end();
      // An error that a step throws because its run is over is not the outcome of the step.
      if (!isOver()) push(done);
    });
  }

  /** Withdraws a wait once the signal aborts, unless it has its outcome by then. */
  #withdrawOn(signal: AbortSignal, operation: PendingOperation, results: OperationResults): void {
    const { commits, waits } = this.#options;
    const stop = this.#withdrawals.add(signal, () => {
      if (!results.withdraw()) return;
      commits.withdraw(operation, this.#withdrawn(signal).outcome);
      waits.ended(operation.position!);
    });
    results.onDone(stop);
  }

  #withdrawn(signal: AbortSignal): Extract<EffectOrWait, { type: "record" }> {
    const value = this.#options.host.values.encodeError(signal.reason);
    return { type: "record", outcome: { tag: "withdrawn", value } };
  }

  /**
   * Returns what an operation does. If the operation is refused, the refusal is recorded at its
   * position. So a replay refuses too, even if the schema or the limit has changed since.
   */
  #actionOf(
    begin: Begin,
    position: number,
    open: OpenEntry | undefined,
    observed: OperationObservation | undefined,
  ): EffectOrWait | Promise<EffectOrWait> {
    const { clock, values } = this.#options.host;
    const refusal = (error: unknown): EffectOrWait => {
      observed?.failing(error);
      return { type: "record", outcome: { tag: "error", value: values.encodeError(error) } };
    };
    const passed = clock.now() - this.#startedAt;
    try {
      const action = begin(
        position,
        open && { attempts: open.attempts, remainingMs: Math.max(0, (open.remainingMs ?? 0) - passed) },
        observed?.traceparent,
      );
      return action instanceof Promise ? action.catch(refusal) : action;
    } catch (error) {
      return refusal(error);
    }
  }

  #resultsOf(position: number, observed: OperationObservation | undefined): OperationResults {
    const { waits, journal, update } = this.#options;
    return new OperationResults({
      onBusy: (change) => this.#busy += change,
      onOutcome: (outcome) => {
        this.#progress = true;
        observed?.ended(outcome);
        waits.ended(position);
        journal.add(position, outcome);
      },
      onWait: (remainingMs, isFirst) => {
        waits.looked(position, remainingMs);
        if (isFirst) update();
      },
    });
  }
}
