/**
 * Runs steps, which are code with effects on the outside world. A step may have several tries, each
 * with its own context.
 *
 * @module
 */

import { currentStep } from "../run/step_scope.ts";
import { bindMethods } from "./bind_methods.ts";
import { type EffectOrWait, type OperationRequest, readDone, readRecorded } from "../run/journal/operation.ts";
import { type EventKey, type SendOptions, type SendReceipt, type StreamKey, toChannel } from "../channel.ts";
import type { Outcome } from "../driver/driver.ts";
import { checkName, checkWholeNumber, type Duration, MAX_DURATION_MS, toMilliseconds } from "../values/checks.ts";
import { ContextError, FatalError, quote, TimeoutError, ValidationError } from "../errors.ts";
import type { Run } from "../run/run.ts";
import { readSent, takeMessage, toRecipient } from "./messages.ts";
import { hexDigest } from "../values/hex_digest.ts";
import { tolerate, unawaited } from "../run/tolerate.ts";
import { StreamBatches } from "./stream_batches.ts";
import type { StepObservation } from "../observe/run_observation.ts";
import { withTimeLimit } from "../time/time_limit.ts";
import type { LazyAbort } from "../time/lazy_abort.ts";
import type { StepContext, StepOptions } from "../step_context.ts";

interface Policy {
  retries: number;
  delayMs: number;
  backoff: number;
  maxDelayMs: number;
  timeoutMs: number;
  retryIf: (error: unknown) => boolean;
}

/** The operation of a step. */
export function stepOperation<T>(
  run: Run,
  name: string,
  code: (step: StepContext) => T | Promise<T>,
  options: StepOptions,
): OperationRequest<T> {
  checkName(name, "step name");
  const policy = toPolicy(options);
  const label = `step ${JSON.stringify(name)}`;
  return {
    label,
    takesTime: true,
    take: () => async (position, open) => ({
      type: "record",
      ...await outcomeOf(run, { position, label, code, policy, begunAt: run.host.clock.now() }, open),
    }),
    read: (outcome) => readRecorded(run, outcome) as T,
  };
}

interface Step<T> {
  position: number;
  label: string;
  code: (step: StepContext) => T | Promise<T>;
  policy: Policy;
  begunAt: number;
}

/**
 * Tries the step until it succeeds, its retries are used up, or the run is over. If an earlier run
 * made the first tries, this run makes the next try. It does so even if a deploy has since lowered
 * `retries`, because no recorded error could become the outcome.
 */
async function outcomeOf<T>(
  run: Run,
  step: Step<T>,
  open: { attempts: number; remainingMs: number } | undefined,
): Promise<{ outcome: Outcome; attempts: number }> {
  const { position, label, policy, begunAt } = step;
  if (open) {
    await run.pause({
      position,
      label,
      begunAt,
      attempts: open.attempts,
      delayMs: pauseMs(policy, open.attempts),
      remainingMs: open.remainingMs,
    });
  }
  for (let attempts = 1 + (open?.attempts ?? 0);; attempts++) {
    try {
      return { outcome: encodeValue(run, step, await tryOnce(run, step, attempts)), attempts };
    } catch (error) {
      // An error that a try throws because its run is over must not become the outcome of the step.
      if (run.stopping.aborted) throw run.stopping.signal.reason;
      const final = finalError(policy, error, attempts);
      if (final) return { outcome: { tag: "error", value: run.host.values.encodeError(final.error) }, attempts };
      await run.pause({ position, label, begunAt, attempts, delayMs: pauseMs(policy, attempts) });
    }
  }
}

/** Returns the error with which a step fails after this try, or `undefined` if there is another try. */
function finalError(policy: Policy, error: unknown, attempts: number): { error: unknown } | undefined {
  try {
    const mayRetry = attempts <= policy.retries && !(error instanceof FatalError) && policy.retryIf(error);
    return mayRetry ? undefined : { error };
  } catch (broken) {
    return { error: broken };
  }
}

/**
 * The pause after a number of failed tries. A `delayMs` of 0 needs its own case, because the power
 * may be infinite and `0 * Infinity` is `NaN`.
 */
function pauseMs({ delayMs, backoff, maxDelayMs }: Policy, attempts: number): number {
  return delayMs === 0 ? 0 : Math.ceil(Math.min(delayMs * backoff ** (attempts - 1), maxDelayMs, MAX_DURATION_MS));
}

/**
 * Encodes the value of a step. If it cannot be encoded, the step fails without another try, which
 * would not help.
 */
function encodeValue<T>({ host }: Run, { label }: Step<T>, value: T): Outcome {
  try {
    return { tag: "value", value: host.values.encode(value, `value of ${label}`) };
  } catch (error) {
    return { tag: "error", value: host.values.encodeError(error) };
  }
}

async function tryOnce<T>(run: Run, step: Step<T>, attempt: number): Promise<T> {
  const { stopping, host: { clock } } = run;
  const observed = run.observed?.step(step.position, step.label, attempt);
  const { timeoutMs } = step.policy;
  const error = (reason: "timeout" | "stopped") =>
    reason === "timeout" ? tolerate(new TimeoutError(step.label, timeoutMs)) : stopping.signal.reason;
  let context: Try | undefined;
  try {
    // Code that ignores its signal continues, but nobody waits for it.
    const value = await withTimeLimit({ ms: timeoutMs, clock, stop: stopping, error }, (limit) => {
      const current = context = new Try(run, step.position, attempt, limit, observed);
      const code = async () => {
        try {
          const value = await step.code(current);
          await current.flush();
          return value;
        } catch (error) {
          // What was written before the error is stored before the next try writes.
          await current.flush().catch(() => {});
          throw error;
        }
      };
      return observed ? observed.within(() => currentStep.run(run, code)) : currentStep.run(run, code);
    });
    observed?.end({ outcome: "value" });
    return value;
  } catch (error) {
    if (stopping.aborted) observed?.end({ outcome: "abandoned" });
    observed?.fail(error);
    throw error;
  } finally {
    context?.end();
  }
}

/** Says when a try has to end. */
type Limit = Pick<LazyAbort, "signal" | "listen" | "unlessAborted">;

/** One try of a step. */
class Try implements StepContext {
  readonly attempt: number;
  readonly #limit: Limit;
  readonly #run: Run;
  readonly #position: number;
  readonly #observed: StepObservation | undefined;
  readonly #sent = new Map<string, number>();
  readonly #batches: { readonly batches: StreamBatches; readonly unlisten: () => void }[] = [];
  #over = false;

  constructor(
    run: Run,
    position: number,
    attempt: number,
    limit: Limit,
    observed: StepObservation | undefined,
  ) {
    this.#run = run;
    this.#observed = observed;
    this.attempt = attempt;
    this.#limit = limit;
    this.#position = position;
    bindMethods(this);
  }

  get signal(): AbortSignal {
    return this.#limit.signal;
  }

  /** Ends the try. Its context can no longer be used. */
  end(): void {
    this.#over = true;
    for (const { batches, unlisten } of this.#batches) {
      unlisten();
      batches.fail(overError("Writing to a stream"));
    }
  }

  /** Stores what the code has written to its `WritableStream`s. */
  async flush(): Promise<void> {
    for (const { batches } of this.#batches) await batches.flush();
  }

  writeStream<T>(key: StreamKey<unknown, T> | string, value: T): Promise<void> {
    return unawaited(this.#publish("writeStream", "stream", key, value));
  }

  writable<T>(key: StreamKey<unknown, T> | string, options: { flush?: Duration } = {}): WritableStream<T> {
    const { flush = "100ms" } = options;
    const { name, schema } = toChannel(key, "stream key");
    const { host: { clock, values }, workflowId } = this.#run;
    const label = `writeStream ${JSON.stringify(name)}`;
    const check = () => {
      if (this.#over) throw overError(`Calling ${label}`);
    };
    check();
    const batches = new StreamBatches({
      clock,
      flushMs: toMilliseconds(flush, "flush"),
      take: (value) => values.take(value, `value of stream ${quote(name)}`, schema),
      check,
      send: async (texts) => {
        const written = texts.map((value) => this.#write(label, () => ({ type: "writeStream", key: name, value })));
        for (const outcome of await Promise.all(written)) readDone(outcome, { workflowId, key: name });
      },
    });
    this.#batches.push({ batches, unlisten: this.#limit.listen(() => batches.fail(this.signal.reason)) });
    return batches.writable<T>();
  }

  setEvent<T>(key: EventKey<unknown, T> | string, value: T): Promise<void> {
    return unawaited(this.#publish("setEvent", "event", key, value));
  }

  send<T>(destinationId: string, message: T, options: SendOptions<T> = {}): Promise<SendReceipt> {
    return unawaited(this.#send(destinationId, message, options));
  }

  async #send<T>(destinationId: string, message: T, options: SendOptions<T>): Promise<SendReceipt> {
    const recipient = toRecipient(destinationId, options, this.#run.host.topics);
    const place = JSON.stringify([destinationId, recipient.topic.name]);
    const ordinal = this.#sent.get(place) ?? 0;
    this.#sent.set(place, ordinal + 1);
    // Without an idempotency key, the message's place in the step identifies it. So a later try
    // does not send it again. A step that a resume has dropped from the journal is another one.
    const origin = [...this.#run.journalId, this.#position, recipient.topic.name, ordinal];
    const taken = takeMessage(this.#run.host.values, recipient, message);
    const observed = this.#observed?.send(recipient);
    const prepare = async (): Promise<EffectOrWait> => ({
      type: "send",
      message: await taken(`step:${await hexDigest(JSON.stringify(origin))}`, observed?.traceparent),
    });
    let receipt: SendReceipt;
    try {
      receipt = readSent(await this.#write(`send ${JSON.stringify(recipient.topic.name)}`, prepare), recipient);
      observed?.end({ messageIds: [receipt.messageId] });
    } catch (error) {
      observed?.fail(error);
      throw error;
    }
    // Without an idempotency key, a duplicate can only be this message from an earlier try.
    return options.idempotencyKey === undefined ? { ...receipt, duplicate: false } : receipt;
  }

  async #publish<T>(
    type: "setEvent" | "writeStream",
    what: string,
    channelOrName: EventKey<unknown, T> | StreamKey<unknown, T> | string,
    value: T,
  ): Promise<void> {
    const channel = toChannel(channelOrName, `${what} key`);
    const key = channel.name;
    const { host: { values }, workflowId } = this.#run;
    const taken = values.take(value, `value of ${what} ${quote(key)}`, channel.schema);
    const encode = async (): Promise<EffectOrWait> => ({ type, key, value: await taken() });
    readDone(await this.#write(`${type} ${JSON.stringify(key)}`, encode), { workflowId, key });
  }

  /**
   * Writes without waiting for the end of the step. The write is fenced by the lease and is not in
   * the journal.
   */
  #write(label: string, prepare: () => EffectOrWait | Promise<EffectOrWait>): Promise<Outcome> {
    const written = new Promise<Outcome>((resolve, reject) => {
      const { over } = this.#run;
      if (over) return over.error && reject(over.error);
      if (this.#over) throw overError(`Calling ${label}`);
      const action = prepare();
      this.#run.commits.push({
        position: null,
        label,
        action: action instanceof Promise ? action.catch((error) => void reject(error)) : action,
        onResult: (result) => "outcome" in result && resolve(result.outcome),
      });
    });
    return this.#over ? written : this.#limit.unlessAborted(written);
  }
}

/** The error of a call that comes after its try. */
function overError(action: string): ContextError {
  return tolerate(new ContextError(`${action} of a step whose try is over: await it inside the step`));
}

function toPolicy(options: StepOptions): Policy {
  const { retries = 0, delay = "1s", backoff = 2, maxDelay, timeout, retryIf = () => true } = options;
  checkWholeNumber(retries, "retries", 0);
  if (!(backoff >= 1 && backoff < Infinity)) {
    throw new ValidationError(`Reading backoff ${backoff}: it must be a finite number, 1 or more`);
  }
  const optional = (duration: Duration | undefined, what: string) =>
    duration === undefined ? Infinity : toMilliseconds(duration, what);
  return {
    retries,
    backoff,
    retryIf,
    delayMs: toMilliseconds(delay, "delay"),
    maxDelayMs: optional(maxDelay, "maxDelay"),
    timeoutMs: optional(timeout, "timeout"),
  };
}
