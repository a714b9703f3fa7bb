/**
 * The main class. It joins a driver, the workflows that run here, and the operations from outside.
 *
 * @module
 */

import { type EventKey, type SendOptions, type SendReceipt, type StreamKey, toChannel } from "./channel.ts";
import {
  type Client,
  GET_EVENT_TIMEOUT,
  type ListOptions,
  type OutgoingMessage,
  type OutgoingMessages,
  type StartedHandle,
  type StartOptions,
  type WorkflowHandle,
  type WorkflowInfo,
  type WorkflowPage,
} from "./client.ts";
import type {
  EventEntry,
  EventReader,
  ReadStreamOptions,
  ReadStreamPagesOptions,
  StreamPage,
  StreamReader,
  WatchEventOptions,
} from "./readers.ts";
import type { EventInfo, HistoryOptions, HistoryPage, MessagePage, MessagesOptions, StreamInfo } from "./inspection.ts";
import type { CreateRequest } from "./driver/driver.ts";
import { checkName, checkWholeNumber, type Duration, toMilliseconds } from "./values/checks.ts";
import {
  UnknownWorkflowError,
  ValidationError,
  WorkflowActiveError,
  WorkflowConflictError,
  WorkflowNotFoundError,
} from "./errors.ts";
import { toDueTime } from "./values/due_time.ts";
import { awaitResult, Handle, readInfo } from "./read/handle.ts";
import { listWorkflows } from "./read/list.ts";
import { type ParleyOptions, toRunner } from "./options.ts";
import { refuseRepeatedKeys, takeMessage, toRecipient } from "./context/messages.ts";
import { control } from "./runner/control.ts";
import { readEvents, readHistory, readMessages, readStreams } from "./read/inspect.ts";
import { eventEntry, StoredEvent } from "./read/event.ts";
import { StoredStream } from "./read/stream.ts";
import { createdRun } from "./run/host.ts";
import type { Runner, SweepResult } from "./runner/runner.ts";
import { statusTargets } from "./time/subscriptions.ts";
import { checkTraceparent } from "./values/marked_text.ts";
import { describeInput, type StartArguments, type Workflow } from "./workflow.ts";
import { orOtherwise, toOutsideLimit, type WaitOptions } from "./wait_options.ts";

/** The largest count. Counts travel to the stores as 32-bit numbers. */
const MAX_COUNT = 2 ** 31 - 1;
/** The default timeout of `close`. Platforms kill a process 10 to 30 s after telling it to stop. */
const CLOSE_TIMEOUT: Duration = "10s";

/**
 * Starts, runs, messages and reads durable workflows over a store.
 *
 * A `Parley` holds no connection and starts nothing by itself, so you may create one for each
 * request. The operation that makes a suspended workflow due also continues it, as
 * {@linkcode ParleyOptions.wake} says. {@linkcode Parley.sweep} and {@linkcode Parley.work}
 * continue due workflows too.
 *
 * @example A workflow that waits for a message
 * ```ts
 * import { memoryDriver, Parley, topic, workflow } from "@parley/parley";
 *
 * const payment = topic<{ paid: boolean }>("payment");
 * const checkout = workflow("checkout", async (ctx, order: { item: string }) => {
 *   const { paid } = await ctx.recv(payment, { timeout: "5m" });
 *   return paid ? `${order.item} is on its way` : "declined";
 * });
 *
 * await using parley = new Parley({ driver: memoryDriver(), workflows: [checkout] });
 * const handle = await parley.start(checkout, { item: "a lamp" }, { workflowId: "order-1" });
 * await parley.send("order-1", { paid: true }, { topic: payment, idempotencyKey: "delivery-7" });
 * console.log(await handle.result()); // a lamp is on its way
 * ```
 *
 * @category Workflows
 */
export class Parley implements Client, AsyncDisposable {
  readonly #runner: Runner;
  readonly #workflows: Map<string, Workflow<unknown, unknown>>;

  /**
   * Creates a `Parley`. This does no I/O.
   *
   * @param options The driver, the workflows, and how to run them.
   * @throws {ValidationError} If an option is not legal, or the driver implements another version
   * of the contract.
   */
  constructor(options: ParleyOptions) {
    this.#workflows = new Map();
    for (const workflow of options.workflows ?? []) {
      if (this.#workflows.has(workflow.name)) {
        throw new ValidationError(
          `Reading the workflows: the name ${JSON.stringify(workflow.name)} occurs twice, and must be unique`,
        );
      }
      this.#workflows.set(workflow.name, workflow);
    }
    this.#runner = toRunner(options, this.#workflows);
  }

  /**
   * A signal that aborts once `maxRequests` requests have been made. Pass it to long reads, such as
   * `readStream`, outside the HTTP adapter.
   */
  get spent(): AbortSignal {
    return this.#runner.spent;
  }

  async start<I, O>(
    workflow: Workflow<unknown, O, I> | string,
    ...[input, options = {}]: StartArguments<I, StartOptions>
  ): Promise<StartedHandle<O>> {
    const { workflowId = crypto.randomUUID() } = options;
    const due = toDueTime(options);
    const enqueue = options.enqueue === true || due !== undefined;
    const name = typeof workflow === "string" ? workflow : workflow.name;
    checkName(name, "workflow name");
    checkName(workflowId, "workflow ID");
    const known = this.#workflows.get(name);
    if (!known && !enqueue) throw new UnknownWorkflowError(name);
    const { values, driver, leaseMs } = this.#runner;
    const schema = known?.input ?? (typeof workflow === "string" ? undefined : workflow.input);
    const traceparent = checkTraceparent(options.traceparent);
    const observed = this.#runner.observing?.start(workflowId, name, enqueue, traceparent);
    try {
      const text = await values.take(input, describeInput(name), schema)();
      const request: CreateRequest = {
        workflowId,
        name,
        input: values.trace(text, observed?.traceparent ?? traceparent),
        owner: crypto.randomUUID(),
        leaseMs: enqueue ? null : leaseMs,
        ...(due && { due }),
      };
      const created = await driver.create(request);
      if (created.name !== name) throw new WorkflowConflictError(workflowId);
      observed?.end({ created: created.created });
      if (!created.created) return Handle.started<O>(this, workflowId, false);
      if (!enqueue) void this.#runner.run(createdRun(request, created));
      else if (!due) this.#runner.hints.notify(["due"]);
      else if (known) this.#runner.dueIn(workflowId, Math.max(0, "at" in due ? due.at - created.now : due.inMs));
      return Handle.started<O>(this, workflowId, true);
    } catch (error) {
      observed?.fail(error);
      throw error;
    }
  }

  handle<O = unknown>(workflowId: string): WorkflowHandle<O> {
    checkName(workflowId, "workflow ID");
    return new Handle<O>(this, workflowId);
  }

  async status(workflowId: string): Promise<WorkflowInfo> {
    checkName(workflowId, "workflow ID");
    return await readInfo(this.#runner, workflowId);
  }

  async result<O = unknown, const E = O>(workflowId: string, options: WaitOptions<E> = {}): Promise<O | E> {
    checkName(workflowId, "workflow ID");
    return await orOtherwise(options, async () => await awaitResult(this.#runner, workflowId, options) as O);
  }

  async send<T>(destinationId: string, message: NoInfer<T>, options: SendOptions<T> = {}): Promise<SendReceipt> {
    const { values, topics } = this.#runner;
    const recipients = [toRecipient(destinationId, options, topics)];
    const [receipt] = await this.#runner.send(recipients, [takeMessage(values, recipients[0]!, message)]);
    return receipt!;
  }

  async sendAll<T extends readonly unknown[]>(list: OutgoingMessages<T>): Promise<SendReceipt[]> {
    const messages: readonly OutgoingMessage[] = list;
    const recipients = messages.map(({ destinationId, message: _, ...options }) =>
      toRecipient(destinationId, options, this.#runner.topics)
    );
    refuseRepeatedKeys(recipients);
    const taken = messages.map(({ message }, index) => takeMessage(this.#runner.values, recipients[index]!, message));
    return taken.length === 0 ? [] : await this.#runner.send(recipients, taken);
  }

  async getEvent<T, const E = T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions<E> = {},
  ): Promise<T | E> {
    const { otherwise: _, ...limits } = options;
    return await orOtherwise(options, async () => (await this.getEventEntry(workflowId, key, limits)).value);
  }

  async getEventEntry<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WaitOptions & { after?: number } = {},
  ): Promise<EventEntry<T>> {
    const { after = 0, signal } = options;
    checkName(workflowId, "workflow ID");
    const { name } = toChannel(key, "event key");
    checkWholeNumber(after, "version", 0);
    const limit = toOutsideLimit(options, GET_EVENT_TIMEOUT);
    return await eventEntry<T>(this.#runner, { ...limit, workflowId, key: name, after, signal });
  }

  watchEvent<T>(
    workflowId: string,
    key: EventKey<T, unknown> | string,
    options: WatchEventOptions = {},
  ): EventReader<T> {
    checkName(workflowId, "workflow ID");
    return new StoredEvent<T>(this.#runner, workflowId, toChannel(key, "event key").name, options);
  }

  readStream<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options: ReadStreamOptions = {},
  ): StreamReader<T> {
    checkName(workflowId, "workflow ID");
    return new StoredStream<T>(this.#runner, workflowId, toChannel(key, "stream key").name, options);
  }

  /**
   * Reads a stream in pages, for code that passes them on. The first page comes at once, even if it
   * is empty. Each later page has values or is the last. A page has at most 1,000 values, and at
   * most about 1 MiB.
   *
   * Reading rejects with the errors of {@linkcode Client.readStream}.
   */
  readStreamPages<T>(
    workflowId: string,
    key: StreamKey<T, unknown> | string,
    options: ReadStreamPagesOptions = {},
  ): AsyncIterableIterator<StreamPage<T>> {
    checkName(workflowId, "workflow ID");
    return new StoredStream<T>(this.#runner, workflowId, toChannel(key, "stream key").name, options).pages();
  }

  async list(query: ListOptions = {}): Promise<WorkflowPage> {
    return await listWorkflows(this.#runner, query);
  }

  async history(workflowId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    return await readHistory(this.#runner, workflowId, options);
  }

  async messages(workflowId: string, options: MessagesOptions = {}): Promise<MessagePage> {
    return await readMessages(this.#runner, workflowId, options);
  }

  async events(workflowId: string): Promise<EventInfo[]> {
    return await readEvents(this.#runner, workflowId);
  }

  async streams(workflowId: string): Promise<StreamInfo[]> {
    return await readStreams(this.#runner, workflowId);
  }

  async cancel(workflowId: string, options: { children?: boolean } = {}): Promise<void> {
    const { children = false } = options;
    await control(this.#runner, { workflowId, action: "cancel", children });
  }

  async resume(workflowId: string, options: { from?: number } = {}): Promise<void> {
    const { from } = options;
    if (from !== undefined) checkWholeNumber(from, "position", 0, MAX_COUNT);
    const token = crypto.randomUUID();
    await control(this.#runner, {
      workflowId,
      action: "resume",
      ...(from !== undefined && { from: { position: from, token } }),
    });
  }

  async delete(workflowId: string): Promise<void> {
    checkName(workflowId, "workflow ID");
    const result = await this.#runner.driver.delete({ workflowId });
    if (result.state === "not_found") throw new WorkflowNotFoundError(workflowId);
    if (result.state === "active") throw new WorkflowActiveError(workflowId, result.status);
    this.#runner.hints.notify(statusTargets(workflowId));
  }

  /**
   * Takes over workflows that are due and known here, and runs each until it ends or waits. Call it
   * from a cron job. It also takes workflows that these runs make due.
   *
   * @param options `limit`: the largest number of workflows to take, 1 or more, default 100.
   * `signal`: stops taking more.
   * @returns How many workflows were taken, how many of them ended, and how many wait again. The
   * promise settles when none of them runs any more.
   */
  async sweep(options: { limit?: number; signal?: AbortSignal } = {}): Promise<SweepResult> {
    const { limit = 100, signal } = options;
    checkWholeNumber(limit, "limit of the sweep", 1, MAX_COUNT);
    return await this.#runner.sweep(limit, signal);
  }

  /** The first occurrence of a schedule after an instant, both in epoch milliseconds; `null` if there is none. */
  nextOccurrence(after: number): number | null {
    return this.#runner.schedules.next(after);
  }

  /**
   * Continues the given workflows, if they are due and known here. Call it where the requests of
   * your `wake` function arrive.
   *
   * @param workflowIds The workflow IDs that the `wake` function received.
   * @returns How many workflows were taken, how many of them ended, and how many wait again. The
   * promise settles when none of them runs any more.
   */
  async wake(workflowIds: readonly string[]): Promise<SweepResult> {
    for (const workflowId of workflowIds) checkName(workflowId, "workflow ID");
    return await this.#runner.runNow(workflowIds);
  }

  /**
   * Takes over workflows that become due, for as long as the process lives. It uses push if the
   * driver has it, and polling otherwise. It reports a fault of the store to `onError`, and goes
   * on.
   *
   * @param options `signal`: stops taking more. `concurrency`: the number of busy workflows that
   * run side by side, 1 or more, default 10. A workflow that only waits in memory does not count
   * until it goes on. So more than `concurrency` may run for a moment.
   * @returns A promise that settles once this call takes no more workflows, and none that it took
   * still runs. It takes no more after the abort, after {@linkcode Parley.close}, or after
   * `maxRequests` requests.
   */
  async work(options: { signal: AbortSignal; concurrency?: number }): Promise<void> {
    const { signal, concurrency = 10 } = options;
    checkWholeNumber(concurrency, "concurrency", 1, MAX_COUNT);
    await this.#runner.work(concurrency, signal);
  }

  /**
   * Removes workflows that ended some time ago, in the order in which they ended. Their messages,
   * events, streams and journals are removed too. A child stays until its parent has ended or has
   * recorded the child's result.
   *
   * @param options `olderThan`: how long ago the workflows must have ended. `limit`: the largest
   * number to remove, 1 or more, default 1,000.
   * @returns The number of workflows removed.
   */
  async purge(options: { olderThan: Duration; limit?: number }): Promise<number> {
    const { olderThan, limit = 1_000 } = options;
    checkWholeNumber(limit, "limit of the purge", 1, MAX_COUNT);
    const { purged } = await this.#runner.driver.purge({ olderThanMs: toMilliseconds(olderThan, "age"), limit });
    return purged;
  }

  /**
   * Settles when this `Parley` runs nothing any more. By then every run has ended, suspended or
   * handed over, and every wake has been made.
   */
  async idle(): Promise<void> {
    await this.#runner.idle();
  }

  /**
   * Makes every run here hand over at its next operation, and settles when all have done so. Other
   * isolates, or later ones, continue the workflows.
   *
   * From then on, this `Parley` takes over no more workflows. `work` and `sweep` settle, and inline
   * wakes are left to others.
   *
   * @param options `timeout`: how long to wait for steps in progress, and for code that awaits
   * anything but an operation. Default 10 s; 0 does not wait. At the timeout, the signals of the
   * steps abort, and the runs hand over without them. Such a step runs again in the next run. Calls
   * of the `wake` function get at most one second more.
   * @throws {ValidationError} If the timeout is not legal.
   */
  async close(options: { timeout?: Duration } = {}): Promise<void> {
    const { timeout = CLOSE_TIMEOUT } = options;
    await this.#runner.close(toMilliseconds(timeout, "timeout"));
  }

  /** Calls {@linkcode Parley.close} with its default timeout of 10 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
