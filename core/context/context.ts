/**
 * The context that a workflow's code gets. Each operation of the context has a position in the
 * journal.
 *
 * @module
 */

import { bindMethods } from "./bind_methods.ts";
import {
  type EventKey,
  type SendOptions,
  type SendReceipt,
  type StreamKey,
  toChannel,
  type Topic,
  toTopic,
} from "../channel.ts";
import {
  type EffectOrWait,
  type OperationRequest,
  readDone,
  readObserved,
  readRecorded,
  readResult,
  taken,
} from "../run/journal/operation.ts";
import { checkName, checkWholeNumber, type Duration, toMilliseconds } from "../values/checks.ts";
import { quote, UnknownWorkflowError, WorkflowConflictError } from "../errors.ts";
import type { Outcome } from "../driver/driver.ts";
import type { Run } from "../run/run.ts";
import { readSent, takeMessage, toRecipient } from "./messages.ts";
import { receiveOperation, toChannels } from "./receive.ts";
import { stepOperation } from "./step.ts";
import { withDestination } from "../values/send_label.ts";
import { unawaited } from "../run/tolerate.ts";
import type { StepContext, StepOptions } from "../step_context.ts";
import { andThen } from "../values/values.ts";
import { type Received, type TopicChoice, toWaitLimit, type WaitLimit, type WaitOptions } from "../wait_options.ts";
import {
  type ChildHandle,
  describeInput,
  type Results,
  type StartArguments,
  type Workflow,
  type WorkflowContext,
} from "../workflow.ts";

/**
 * How many values a `WritableStream` may write at the same time. Such values can share a commit.
 */
const WRITES_UNDER_WAY = 100;

/** The context of one run. */
export class Context implements WorkflowContext {
  readonly workflowId: string;
  readonly #run: Run;
  readonly #workflow: Pick<Workflow<unknown, unknown>, "name" | "input">;
  /**
   * The workflows that this one has started. If such a workflow does not exist, it was purged and
   * cannot appear later, so a wait for it fails.
   */
  readonly #started = new Set<string>();
  /** How many results the current `together` list still waits for; 0 without such a list. */
  #together = 0;

  /**
   * @param run The run.
   * @param workflow The workflow's definition.
   */
  constructor(run: Run, workflow: Pick<Workflow<unknown, unknown>, "name" | "input">) {
    this.#run = run;
    this.#workflow = workflow;
    this.workflowId = run.workflowId;
    bindMethods(this);
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  step<T>(name: string, code: (step: StepContext) => T | Promise<T>, options: StepOptions = {}): Promise<T> {
    return this.#run.operate(() => stepOperation(this.#run, name, code, options));
  }

  sleep(duration: Duration): Promise<void> {
    return this.#run.operate(() => {
      const timeoutMs = toMilliseconds(duration, "duration of the sleep");
      return { label: "sleep", take: () => () => ({ type: "sleep", timeoutMs }), read: () => {} };
    });
  }

  now(): Promise<number> {
    return this.#record("now", () => this.#run.storeTime.now());
  }

  uuid(): Promise<string> {
    return this.#record("uuid", () => crypto.randomUUID());
  }

  patched(name: string): Promise<boolean> {
    return this.#run.operate(() => {
      checkName(name, "patch name");
      return { ...this.#recording(label("patched", name), () => true), optional: { absent: false } };
    });
  }

  send<T>(destinationId: string, message: T, options: SendOptions<T> = {}): Promise<SendReceipt> {
    return this.#run.operate(() => {
      const recipient = toRecipient(destinationId, options, this.#run.host.topics);
      const name = label("send", recipient.topic.name);
      return {
        label: name,
        recorded: withDestination(name, destinationId),
        to: destinationId,
        traceparent: recipient.traceparent,
        take: () => {
          const taken = takeMessage(this.#run.host.values, recipient, message);
          return (_position, _open, traceparent) =>
            andThen(taken(undefined, traceparent), (it): EffectOrWait => ({ type: "send", message: it }));
        },
        read: (outcome) => readSent(outcome, recipient),
      };
    });
  }

  recv<T, const E = T>(topic?: Topic<T, string, unknown> | string, options: WaitOptions<E> = {}): Promise<T | E> {
    return this.#wait(options, (limit) => {
      const channel = toTopic(topic);
      return receiveOperation(
        this.#run,
        label("recv", channel.name),
        [channel],
        limit,
        ({ message }) => message as T,
      );
    });
  }

  recvAny<const Topics extends TopicChoice, const E = never>(
    topics: Topics,
    options: WaitOptions<E> = {},
  ): Promise<Received<Topics> | E> {
    return this.#wait(options, (limit) => {
      const { channels, keyOf } = toChannels(topics);
      const names = [...new Set(channels.map(({ name }) => name))];
      checkWholeNumber(names.length, "number of topics", 1);
      const read = ({ topic, message }: { topic: string; message: unknown }) =>
        ({ topic: keyOf(topic), message }) as Received<Topics>;
      return receiveOperation(this.#run, label("recvAny", names), channels, limit, read);
    });
  }

  setEvent<T>(key: EventKey<unknown, T> | string, value: T): Promise<void> {
    return this.#publish("setEvent", "event", key, value);
  }

  getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions<E> = {},
  ): Promise<T | E> {
    return this.#wait(options, (limit) => {
      checkName(workflowId, "workflow ID");
      const { name } = toChannel(key, "event key");
      const wait = { label: label("getEvent", name), ...limit, workflowId };
      const started = this.#started.has(workflowId);
      return {
        label: wait.label,
        to: workflowId,
        take: () => () => ({ type: "observeEvent", workflowId, key: name, ...limit, started }),
        read: (outcome) => readObserved(this.#run, outcome, wait) as T,
      };
    });
  }

  writeStream<T>(key: StreamKey<unknown, T> | string, value: T): Promise<void> {
    return this.#publish("writeStream", "stream", key, value);
  }

  closeStream(key: StreamKey<unknown> | string): Promise<void> {
    return this.#run.operate(() => {
      const { name } = toChannel(key, "stream key");
      return {
        label: label("closeStream", name),
        take: () => () => ({ type: "closeStream", key: name }),
        read: (outcome) => readDone(outcome, { workflowId: this.workflowId, key: name }),
      };
    });
  }

  writable<T>(key: StreamKey<unknown, T> | string): WritableStream<T> {
    const underWay = new Set<Promise<void>>();
    const writes: (() => OperationRequest<void>)[] = [];
    let failure: { error: unknown } | undefined;
    return new WritableStream<T>({
      write: async () => {
        if (failure) throw failure.error;
        const written = this.#run.operate(writes.shift()!);
        underWay.add(written);
        written.catch((error) => failure ??= { error }).finally(() => underWay.delete(written));
        if (underWay.size >= WRITES_UNDER_WAY) await Promise.allSettled(underWay);
      },
      close: async () => {
        await Promise.all(underWay);
        if (failure) throw failure.error;
        await this.closeStream(key);
      },
    }, {
      // A `WritableStream` queues values, and calls `size` for each one when it is written. The
      // value is taken then, because the code may change it before the queue gets to it.
      size: (value) => writes.push(takenNow(() => this.#publishing("writeStream", "stream", key, value))) && 1,
    });
  }

  start<I, O>(
    child: Workflow<unknown, O, I>,
    ...[input, options = {}]: StartArguments<I, { workflowId?: string }>
  ): Promise<ChildHandle<O>> {
    return this.#run.operate(() => {
      const { name } = child;
      if (options.workflowId !== undefined) checkName(options.workflowId, "workflow ID");
      const workflowId = options.workflowId ?? crypto.randomUUID();
      const { values } = this.#run.host;
      return {
        label: label("start", name),
        to: workflowId,
        take: () => {
          if (!this.#run.host.names.includes(name)) throw new UnknownWorkflowError(name);
          const taken = values.take(input, describeInput(name), child.input);
          return (_position, _open, traceparent) =>
            andThen(taken(), (text): EffectOrWait => ({
              type: "start",
              workflow: { workflowId, name, input: values.trace(text, traceparent) },
            }));
        },
        read: ({ tag, value }) => {
          if (tag === "workflow_conflict") throw new WorkflowConflictError(workflowId);
          this.#started.add(value!);
          return this.#childHandle<O>(value!);
        },
      };
    });
  }

  continueAsNew(input: unknown): Promise<never> {
    const { name, input: schema } = this.#workflow;
    return unawaited(
      this.#run.continueAsNew(() => this.#run.host.values.take(input, describeInput(name), schema)),
    );
  }

  results<const Children extends readonly ChildHandle<unknown>[]>(
    children: Children,
    options: Omit<WaitOptions, "otherwise"> = {},
  ): Promise<Results<Children>> {
    return unawaited(this.#results(children, options));
  }

  async #results<Children extends readonly ChildHandle<unknown>[]>(
    children: Children,
    options: Omit<WaitOptions, "otherwise">,
  ): Promise<Results<Children>> {
    // The store knows only one list of results that are needed together. While results of an
    // earlier list are open, each result of this list wakes the workflow by itself. An earlier list
    // may still be open if one of its results has failed, because the code continues then.
    const together = this.#together === 0;
    const results = children.map(({ workflowId }) => this.#result(workflowId, options, together));
    if (together) {
      const onEnd = () => void this.#together--;
      for (const result of results) result.then(onEnd, onEnd);
      this.#together = results.length;
    }
    return await Promise.all(results) as Results<Children>;
  }

  #childHandle<O>(workflowId: string): ChildHandle<O> {
    return {
      workflowId,
      result: (options = {}) => this.#result(workflowId, options),
      send: (message, options) => this.send(workflowId, message, options),
      getEvent: (key, options) => this.getEvent(workflowId, key, options),
    };
  }

  #result<O, E>(workflowId: string, options: WaitOptions<E>, together: boolean = false): Promise<O | E> {
    return this.#wait(options, (limit) => {
      const wait = { label: "result", ...limit, workflowId };
      const started = this.#started.has(workflowId);
      return {
        label: wait.label,
        to: workflowId,
        readsErrors: true,
        take: () => () => ({ type: "observeResult", workflowId, ...limit, started, together }),
        read: (outcome) => readResult(this.#run, outcome, wait) as O,
      };
    });
  }

  /** Carries out an operation that may have to wait. */
  #wait<T, E>(options: WaitOptions<E>, describe: (limit: WaitLimit) => OperationRequest<T>): Promise<T | E> {
    return this.#run.operate<T | E>(() => {
      const request: OperationRequest<T | E> = describe(toWaitLimit(options));
      const isTimeout = ({ tag }: Outcome) => tag === "timeout" && "otherwise" in options;
      return {
        ...request,
        signal: options.signal,
        read: (outcome) => isTimeout(outcome) ? options.otherwise as E : request.read(outcome),
      };
    });
  }

  #publish<T>(
    type: "setEvent" | "writeStream",
    what: string,
    channelOrName: EventKey<unknown, T> | StreamKey<unknown, T> | string,
    value: T,
  ): Promise<void> {
    return this.#run.operate(() => this.#publishing(type, what, channelOrName, value));
  }

  /** The operation that publishes a value. */
  #publishing<T>(
    type: "setEvent" | "writeStream",
    what: string,
    channelOrName: EventKey<unknown, T> | StreamKey<unknown, T> | string,
    value: T,
  ): OperationRequest<void> {
    const channel = toChannel(channelOrName, `${what} key`);
    const key = channel.name;
    return {
      label: label(type, key),
      take: () => {
        const taken = this.#run.host.values.take(value, `value of ${what} ${quote(key)}`, channel.schema);
        return () => andThen(taken(), (text) => ({ type, key, value: text }));
      },
      read: (outcome) => readDone(outcome, { workflowId: this.workflowId, key }),
    };
  }

  /** Records a value, so that every replay gets the same one. */
  #record<T>(name: string, produce: () => T): Promise<T> {
    return this.#run.operate(() => this.#recording(name, produce));
  }

  /** The operation that records a value. */
  #recording<T>(label: string, produce: () => T): OperationRequest<T> {
    return {
      label,
      take: () => () => ({
        type: "record",
        outcome: { tag: "value", value: this.#run.host.values.encode(produce(), label) },
      }),
      read: (outcome) => readRecorded(this.#run, outcome) as T,
    };
  }
}

/** Describes an operation and takes its values now. What the description throws is thrown later. */
function takenNow<T>(describe: () => OperationRequest<T>): () => OperationRequest<T> {
  try {
    const request = describe();
    const begin = taken(request);
    return () => ({ ...request, take: () => begin });
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function label(operation: string, name: string | string[]): string {
  return `${operation} ${JSON.stringify(name)}`;
}
